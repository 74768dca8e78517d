"""Krylov spaces with full reorthogonalisation: Lanczos for one symmetric operator, Golub–Kahan for a pair of operators.

Both are one recurrence: the next vector is what a product adds to the basis. Golub–Kahan makes the product in two
halves, with a second basis between them.
"""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from chaosjax._linalg import LinearMap, new_direction, unbatched

_PRODUCTS_PER_CHECK = 5
"""The small eigenproblem costs as much as a product with a small network's Hessian, so convergence is checked after
every fifth product."""


class Krylov(NamedTuple):
    """A space after some products: its bases and the two diagonals of the projected operator.

    Attributes:
        right: orthonormal rows, then zeros.
        left: a second basis, for operators that are not symmetric; without rows for those that are.
        vector: the next row of `right`; 0 once the Krylov space is exhausted.
        alpha: the projected operator's diagonal.
        beta: its off-diagonal.
        rank: number of rows of `right` that are not 0.
        products: products taken so far.
    """

    right: Float[Array, "m d"]
    left: Float[Array, "sides d"]
    vector: Float[Array, " d"]
    alpha: Float[Array, " m"]
    beta: Float[Array, " m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]


class Image(NamedTuple):
    """What one product adds: the left basis, the diagonal, the image to orthogonalise, the length that counts as 0."""

    left: Float[Array, "sides d"]
    alpha: Float[Array, " m"]
    image: Float[Array, " d"]
    floor: Float[Array, ""]


@runtime_checkable
class Apply(Protocol):
    """The product of the operator with the next basis vector."""

    def __call__(self, space: Krylov, /) -> Image: ...


class Triplets(NamedTuple):
    """The singular triplets of the projected operator, largest value first, by coefficients in the bases."""

    values: Float[Array, " k"]
    right: Float[Array, "k m"]
    left: Float[Array, "k m"]
    residuals: Float[Array, " k"]


def lanczos(matvec: LinearMap, first: Float[Array, " d"], depth: int) -> Krylov:
    """Tridiagonalise a symmetric operator: ``A V = V T + β v eᵀ``, T of diagonal α and off-diagonal β.

    Once the space is exhausted, what remains of T is 0 and apart from the rest.

    Cost: `depth` products; memory depth·d.

    Source: Lanczos, J. Res. Nat. Bur. Standards 45 (1950) 255.
    """
    rounding = 10 * math.sqrt(first.size) * float(jnp.finfo(first.dtype).eps)

    def apply(space: Krylov) -> Image:
        image = matvec(space.vector)
        alpha = space.alpha.at[space.products].set(space.vector @ image)
        scale = jnp.maximum(jnp.max(jnp.abs(alpha)), jnp.max(space.beta))
        return Image(space.left, alpha, image, rounding * scale)

    space = _empty(first, depth, two_sided=False)
    return lax.fori_loop(0, depth, lambda _, space: _extended(apply, space), space)


def golub_kahan(
    push: LinearMap,
    pull: LinearMap,
    first: Float[Array, " d"],
    k: int,
    *,
    max_products: int,
    tolerance: float,
    rounding: float,
) -> tuple[Krylov, Triplets]:
    """Bidiagonalise an operator M until k residuals are at most ``tolerance · σ_1``.

    ``M V = U B`` and ``Mᵀ U = V Bᵀ + β v eᵀ``, B upper bidiagonal. It also ends after `max_products` products, rounded
    up to a multiple of five, and when the space is exhausted.

    Source: Golub, Kahan, SIAM J. Numer. Anal. 2 (1965) 205.
    """
    m = -(-max_products // _PRODUCTS_PER_CHECK) * _PRODUCTS_PER_CHECK

    def apply(space: Krylov) -> Image:
        j = space.products
        u, length = new_direction(push(space.vector), space.left, rounding * jnp.max(space.alpha))
        alpha = space.alpha.at[j].set(length)
        return Image(space.left.at[j].set(u), alpha, pull(u), rounding * jnp.max(alpha))

    def unfinished(search: tuple[Krylov, Array]):
        space, residuals = search
        more = (space.products < m) & (space.rank == space.products)
        return more & jnp.any(residuals > tolerance * jnp.max(space.alpha))

    def extend(search: tuple[Krylov, Array]) -> tuple[Krylov, Array]:
        space = lax.fori_loop(0, _PRODUCTS_PER_CHECK, lambda _, space: _extended(apply, space), search[0])
        return space, triplets(space, k).residuals

    start = _empty(first, m, two_sided=True), jnp.full(k, jnp.inf, first.dtype)
    space, _ = lax.while_loop(unfinished, extend, start)
    return space, triplets(space, k)


def triplets(space: Krylov, k: int) -> Triplets:
    """The k leading triplets of the projected operator; NaN for those that the space does not hold."""
    B = jnp.diag(space.alpha) + jnp.diag(space.beta[:-1], 1)
    held = jnp.arange(space.alpha.size) < space.rank
    finite = jnp.all(jnp.isfinite(B))
    both = unbatched(_svd)(jnp.where(held[:, None] & held[None] & finite, B, 0.0))
    left, values, right = both[0, :, :k].T, both[1, 0, :k], both[2, :, :k].T
    residuals = space.beta[space.rank - 1] * jnp.abs(left[:, space.rank - 1])
    found = (jnp.arange(k) < space.rank) & finite
    return Triplets(jnp.where(found, values, jnp.nan), right, left, jnp.where(found, residuals, jnp.nan))


def _empty(first: Float[Array, " d"], m: int, two_sided: bool) -> Krylov:
    d, dtype, length = first.size, first.dtype, jnp.linalg.norm(first)
    return Krylov(
        right=jnp.zeros((m, d), dtype),
        left=jnp.zeros((m if two_sided else 0, d), dtype),
        vector=first / jnp.where(length == 0, 1.0, length),
        alpha=jnp.zeros(m, dtype),
        beta=jnp.zeros(m, dtype),
        rank=jnp.int32(0),
        products=jnp.int32(0),
    )


def _extended(apply: Apply, space: Krylov) -> Krylov:
    """The space after one more product."""
    j = space.products
    space = space._replace(right=space.right.at[j].set(space.vector))
    left, alpha, image, floor = apply(space)
    vector, beta = new_direction(image, space.right, floor)
    return space._replace(
        left=left,
        vector=vector,
        alpha=alpha,
        beta=space.beta.at[j].set(beta),
        rank=space.rank + jnp.any(space.vector != 0),
        products=j + 1,
    )


def _svd(B: Float[Array, "m m"]) -> Float[Array, "3 m m"]:
    U, values, Vt = jnp.linalg.svd(B)
    return jnp.stack([U, jnp.broadcast_to(values[None], B.shape), Vt.T])
