"""Krylov methods for symmetric operators given by their products with vectors."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

_PRODUCTS_A_CHECK = 5
"""The small eigenproblem costs as much as a product with a small network's Hessian, so convergence is looked at
once in five products."""


def unbatched(factorise: Callable) -> Callable:
    """The matrix factorisation, taken one matrix at a time on a CPU wherever it is vmapped.

    A batched LAPACK call of jaxlib before 0.11.2 waits for the very threads it occupies: as many calls as there are
    cores (one a device, or a QR beside an eigendecomposition) deadlock. A single matrix is factorised in place.
    """
    one_by_one = jax.custom_batching.sequential_vmap(lambda matrix: factorise(matrix))
    return lambda matrix: lax.platform_dependent(matrix, cpu=one_by_one, default=factorise)


class Eigenpairs(NamedTuple):
    """Ritz pairs, largest value first; an eigenvalue lies within `residuals` of each value."""

    values: Float[Array, " k"]
    vectors: Float[Array, "k d"]
    residuals: Float[Array, " k"]
    products: Int[Array, ""]


class _Krylov(NamedTuple):
    basis: Float[Array, "m d"]
    vector: Float[Array, " d"]  # the next basis vector; 0 once the Krylov space is exhausted
    alpha: Float[Array, " m"]
    beta: Float[Array, " m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]
    residuals: Float[Array, " k"]


def lanczos(
    matvec: Callable[[Float[Array, " d"]], Float[Array, " d"]],
    first: Float[Array, " d"],
    k: int = 1,
    *,
    max_products: int = 50,
    tolerance: float = 1e-3,
) -> Eigenpairs:
    """The k algebraically largest eigenpairs by Lanczos with full reorthogonalisation.

    ``H Q = Q T + β q eᵀ``: an eigenpair (λ, s) of the tridiagonal T gives the Ritz pair (λ, Q s) with residual
    ``β |s_last|``. Ends when every residual is at most ``tolerance · ‖T‖``, or after `max_products` products
    (rounded up to a multiple of five): the residuals say which. Where the Krylov space is exhausted with fewer
    than k pairs, the rest are NaN; so is everything for an operator that returns NaN.

    Args:
        matvec: ``v -> H v``, H symmetric.
        first: a start with a component along the eigenvectors looked for; their last known values are a good one.

    Raises:
        ValueError: if k exceeds the dimension or `max_products`.

    Source: Parlett, The Symmetric Eigenvalue Problem (1998), chapter 13.
    """
    d, dtype = first.size, first.dtype
    if not 1 <= k <= min(d, max_products):
        raise ValueError(
            f"k={k} must be between 1 and {min(d, max_products)} (dimension {d}, max_products {max_products})"
        )
    m = -(-max_products // _PRODUCTS_A_CHECK) * _PRODUCTS_A_CHECK

    def unfinished(state: _Krylov):
        more = (state.products < m) & (state.rank == state.products)
        return more & jnp.any(state.residuals > tolerance * _scale(state))

    def extend(state: _Krylov) -> _Krylov:
        state = lax.fori_loop(0, _PRODUCTS_A_CHECK, lambda _, state: _extend(matvec, state), state)
        return state._replace(residuals=_ritz(state, k)[2])

    state = _Krylov(
        basis=jnp.zeros((m, d), dtype),
        vector=first / jnp.linalg.norm(first),
        alpha=jnp.zeros(m, dtype),
        beta=jnp.zeros(m, dtype),
        rank=jnp.int32(0),
        products=jnp.int32(0),
        residuals=jnp.full(k, jnp.inf, dtype),
    )
    state = lax.while_loop(unfinished, extend, state)
    values, coefficients, residuals = _ritz(state, k)
    return Eigenpairs(values, coefficients @ state.basis, residuals, state.products)


def _scale(state: _Krylov) -> Float[Array, ""]:
    return jnp.max(jnp.abs(state.alpha)) + 2 * jnp.max(state.beta)


def _extend(matvec: Callable, state: _Krylov) -> _Krylov:
    v, j = state.vector, state.products
    basis = state.basis.at[j].set(v)
    image = matvec(v)
    alpha = state.alpha.at[j].set(v @ image)
    for _ in range(2):
        image = image - (basis @ image) @ basis
    norm = jnp.linalg.norm(image)
    floor = 10 * jnp.finfo(v.dtype).eps * _scale(state._replace(alpha=alpha))
    exhausted = norm <= floor
    return state._replace(
        basis=basis,
        vector=jnp.where(exhausted, 0.0, image / jnp.where(exhausted, 1.0, norm)),
        alpha=alpha,
        beta=state.beta.at[j].set(jnp.where(exhausted, 0.0, norm)),
        rank=state.rank + jnp.any(v != 0),
        products=j + 1,
    )


def _ritz(state: _Krylov, k: int) -> tuple[Float[Array, " k"], Float[Array, "k m"], Float[Array, " k"]]:
    """The top k eigenpairs of T. Rows beyond its rank are moved below the spectrum, so they never come first."""
    held = jnp.arange(state.alpha.size) < state.rank
    below = -2 * _scale(state) - 1
    off_diagonal = jnp.where(held[1:], state.beta[:-1], 0.0)
    T = jnp.diag(jnp.where(held, state.alpha, below)) + jnp.diag(off_diagonal, 1) + jnp.diag(off_diagonal, -1)
    values, vectors = unbatched(jnp.linalg.eigh)(T)
    values, coefficients = values[::-1][:k], vectors[:, ::-1][:, :k].T
    last = state.rank - 1
    residuals = state.beta[last] * jnp.abs(coefficients[:, last])
    found = jnp.arange(k) < state.rank
    return (
        jnp.where(found, values, jnp.nan),
        jnp.where(found[:, None], coefficients, 0.0),
        jnp.where(found, residuals, jnp.nan),
    )
