"""Krylov spaces with full reorthogonalisation, and what linear algebra under vmap needs."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

Factors = TypeVar("Factors")

_PRODUCTS_PER_CHECK = 5
"""The small eigenproblem costs as much as a product with a small network's Hessian, so convergence is checked after
every fifth product."""


@runtime_checkable
class LinearMap(Protocol):
    """A linear operator, by its product with a vector."""

    def __call__(self, v: Float[Array, " d"], /) -> Float[Array, " d"]: ...


class Krylov(NamedTuple):
    """The search after some products: the bases and the two diagonals of the projected operator.

    Attributes:
        right: orthonormal rows, then zeros.
        left: a second basis, for operators that are not symmetric; without rows for those that are.
        vector: the next row of `right`; 0 once the Krylov space is exhausted.
        alpha: the projected operator's diagonal.
        beta: its off-diagonal.
        rank: number of rows of `right` that are not 0.
        products: products taken so far.
        residuals: of the pairs looked for.
    """

    right: Float[Array, "m d"]
    left: Float[Array, "sides d"]
    vector: Float[Array, " d"]
    alpha: Float[Array, " m"]
    beta: Float[Array, " m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]
    residuals: Float[Array, " k"]


class Projected(NamedTuple):
    """The pairs or triplets of the projected operator, largest value first, by coefficients in the bases."""

    values: Float[Array, " k"]
    right: Float[Array, "k m"]
    left: Float[Array, "k m"]
    residuals: Float[Array, " k"]


class Image(NamedTuple):
    """What one product adds: the left basis, the diagonal, the image to orthogonalise, the length that counts as 0."""

    left: Float[Array, "sides d"]
    alpha: Float[Array, " m"]
    image: Float[Array, " d"]
    floor: Float[Array, ""]


@runtime_checkable
class Apply(Protocol):
    """The product of the operator with the next basis vector."""

    def __call__(self, state: Krylov, /) -> Image: ...


@runtime_checkable
class Solve(Protocol):
    """The k leading pairs of the projected operator; NaN for those that the space does not hold."""

    def __call__(self, state: Krylov, k: int, /) -> Projected: ...


@runtime_checkable
class Scale(Protocol):
    """The operator's size, against which residuals are small."""

    def __call__(self, alpha: Float[Array, " m"], beta: Float[Array, " m"], /) -> Float[Array, ""]: ...


class Factorisation(NamedTuple):
    """A Krylov method."""

    apply: Apply
    solve: Solve
    scale: Scale
    two_sided: bool = False


def krylov(
    method: Factorisation, first: Float[Array, " d"], k: int, *, max_products: int, tolerance: float
) -> tuple[Krylov, Projected]:
    """Extend a Krylov space until k residuals are at most ``tolerance · scale``.

    It also ends after `max_products` products, rounded up to a multiple of five, and when the space is exhausted.
    """
    m = -(-max_products // _PRODUCTS_PER_CHECK) * _PRODUCTS_PER_CHECK
    d, dtype = first.size, first.dtype

    def unfinished(state: Krylov):
        more = (state.products < m) & (state.rank == state.products)
        return more & jnp.any(state.residuals > tolerance * method.scale(state.alpha, state.beta))

    def extend(state: Krylov) -> Krylov:
        state = lax.fori_loop(0, _PRODUCTS_PER_CHECK, lambda _, state: _extend(method, state), state)
        return state._replace(residuals=method.solve(state, k).residuals)

    state = Krylov(
        right=jnp.zeros((m, d), dtype),
        left=jnp.zeros((m if method.two_sided else 0, d), dtype),
        vector=first / jnp.linalg.norm(first),
        alpha=jnp.zeros(m, dtype),
        beta=jnp.zeros(m, dtype),
        rank=jnp.int32(0),
        products=jnp.int32(0),
        residuals=jnp.full(k, jnp.inf, dtype),
    )
    state = lax.while_loop(unfinished, extend, state)
    return state, method.solve(state, k)


def _extend(method: Factorisation, state: Krylov) -> Krylov:
    j = state.products
    state = state._replace(right=state.right.at[j].set(state.vector))
    left, alpha, image, floor = method.apply(state)
    vector, beta = new_direction(image, state.right, floor)
    return state._replace(
        left=left,
        vector=vector,
        alpha=alpha,
        beta=state.beta.at[j].set(beta),
        rank=state.rank + jnp.any(state.vector != 0),
        products=j + 1,
    )


def new_direction(
    image: Float[Array, " d"],
    basis: Float[Array, "m d"],
    floor: Float[Array, ""] | float,
    rank: Int[Array, ""] | None = None,
) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """The unit vector along what of the image is orthogonal to the basis, and its length; 0 up to the floor.

    Rows of the basis from `rank` on are left out.
    """
    held = jnp.arange(len(basis)) < (len(basis) if rank is None else rank)
    for _ in range(2):
        image = image - jnp.where(held, basis @ image, 0.0) @ basis
    length = jnp.linalg.norm(image)
    nothing = length <= floor
    return jnp.where(nothing, 0.0, image / jnp.where(nothing, 1.0, length)), jnp.where(nothing, 0.0, length)


@jax.custom_batching.custom_vmap
def in_any_cell(condition: Bool[Array, ""]) -> Bool[Array, ""]:
    """Whether a condition holds in any cell of the batches around; the same for all of them.

    As the condition of a ``lax.while_loop`` under vmap it saves the copy of all memory that JAX makes at every turn to
    keep finished cells as they are. The body has to leave them as they are by itself.
    """
    return condition


@in_any_cell.def_vmap
def _reduce(axis_size: int, batched: list[bool], condition: Bool[Array, " cells"]) -> tuple[Bool[Array, ""], bool]:
    return in_any_cell(jnp.any(condition)), False


def check_pairs(name: str, k: int, d: int, max_products: int) -> None:
    """Refuse a number of pairs that the dimension or the products do not allow."""
    most = min(d, max_products)
    if not 1 <= k <= most:
        raise ValueError(
            f"{name}: k={k} must be between 1 and {most} (dimension {d}, max_products {max_products}): ask for fewer"
        )


def unbatched(factorise: Callable[[Float[Array, "n m"]], Factors]) -> Callable[[Float[Array, "n m"]], Factors]:
    """Take a factorisation one matrix at a time on a CPU wherever it is vmapped.

    A batched LAPACK call of jaxlib before 0.11.2 waits for the very threads it occupies: as many calls as there are
    cores (one per device, or a QR beside an eigendecomposition) deadlock. A single matrix is factorised in place.
    """
    one_by_one = jax.custom_batching.sequential_vmap(lambda matrix: factorise(matrix))
    return lambda matrix: lax.platform_dependent(matrix, cpu=one_by_one, default=factorise)
