"""Extreme eigenpairs of a symmetric operator, followed from one operator to the next."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from chaosjax._linalg import LinearMap, new_direction
from chaosjax._rayleigh_ritz import (
    Ritz,
    Space,
    Wanted,
    append,
    orthonormal,
    project,
    restart,
    ritz_pairs,
    rounding,
    rounding_floor,
    sizes,
)

_MISSED = 1e-3
"""Largest probability, over the random direction, that an eigenvalue beyond those found escapes the search for it."""

_NEARLY = 0.1
"""Largest residual of a trusted block, relative to the operator: above it the operator is a new one."""


class ExtremeEigenpairs(NamedTuple):
    """Ritz pairs: the k largest, largest first, then the smallest, smallest first.

    Attributes:
        values: an eigenvalue lies within `residuals` of each.
        vectors: of length 1 and orthogonal.
        residuals: ``‖H v − λ v‖``.
        converged: the residual is at most ``tolerance · ‖H‖``, and `certified` holds.
        certified: no eigenvalue beyond these is missed, with a probability of 1 − 1e-3 for each end of the spectrum.
        products: products with the operator.
        block: the pairs' vectors and the next ones of the spectrum: the start of the next search.
    """

    values: Float[Array, " pairs"]
    vectors: Float[Array, "pairs d"]
    residuals: Float[Array, " pairs"]
    converged: Bool[Array, " pairs"]
    certified: Bool[Array, ""]
    products: Int[Array, ""]
    block: Float[Array, "b d"]


class _Problem(NamedTuple):
    matvec: LinearMap
    wanted: Wanted
    tolerance: float
    max_products: int


class _Search(NamedTuple):
    space: Space
    ritz: Ritz
    unconverged: Bool[Array, " pairs"]
    certified: Bool[Array, ""]
    stuck: Bool[Array, ""]  # what is left of the residuals is rounding
    due: Bool[Array, ""]  # the guards have not been extended yet


class _Chain(NamedTuple):
    """A Lanczos recurrence, and its polynomials at the two ends of the spectrum beyond the pairs."""

    space: Space
    vector: Float[Array, " d"]
    beta: Float[Array, ""]
    polynomial: Float[Array, " 2"]
    previous: Float[Array, " 2"]
    total: Float[Array, " 2"]
    beyond: Bool[Array, ""]  # an eigenvalue of the recurrence lies beyond the pairs


def eigenpairs(
    matvec: LinearMap,
    block: Float[Array, "b d"],
    k: int,
    smallest: int = 0,
    *,
    tolerance: float = 1e-3,
    max_products: int = 50,
    trusted: Bool[Array, ""] | bool = False,
    key: PRNGKeyArray | None = None,
) -> ExtremeEigenpairs:
    """Find the k largest and the `smallest` smallest eigenpairs, from a block of vectors close to them.

    Rayleigh–Ritz on the block, extended by the worst residual until all are at most ``tolerance · ‖H‖``. A small
    residual says that a pair is one of H's, not which one: an eigenvector orthogonal to the block stays unseen. So
    the search then restarts from the pairs found and a random direction z orthogonal to them. With α and β of its
    Lanczos recurrence, ``β_{i+1} p_{i+1}(λ) = (λ − α_i) p_i(λ) − β_i p_{i−1}(λ)`` and ``p_0 = 1``, an eigenvector v
    of eigenvalue λ has ``(z·v)² ≤ 1 / Σ p_i(λ)²``. The search ends once this is too small to be chance for every λ
    beyond the pairs found; where it meets one beyond them, it takes it in and begins again.

    Args:
        matvec: ``v -> H v``, H symmetric.
        block: rows to start from, random ones at first, then `block` of the last result. Rows beyond the pairs are
            guards: they follow the next eigenvectors, one of which may become extreme. Rows that are not finite or
            depend on others are replaced by random ones.
        k: number of largest eigenvalues.
        smallest: number of smallest eigenvalues.
        tolerance: largest residual relative to the largest eigenvalue in modulus.
        max_products: largest number of products with H.
        trusted: the block is that of a `certified` result for nearly the same H. No random search is made then,
            unless a pair of the block has a residual above a tenth of ‖H‖, and `certified` is taken over. What a
            guard does not follow is seen late: an eigenvector that becomes extreme beyond the block. Search anew
            (False) from time to time.
        key: of the random directions.

    Returns:
        The pairs. All are NaN for an operator that returns NaN.

    Raises:
        ValueError: if there are no pairs, more pairs than rows, or more rows than dimensions or products.

    Cost: with a trusted block one product per row and one per residual taken in, of which the first is always taken
    where there are guards. Otherwise as many as convergence takes, and the random search, about
    ``ln(√d / 1e-3) / √gap`` products, with the gap relative to the width of the spectrum. Memory: 2·max_products·d.

    Source: Parlett, The Symmetric Eigenvalue Problem (1998), chapters 11 to 13; Kuczyński, Woźniakowski, SIAM J.
    Matrix Anal. Appl. 13 (1992) 1094, for random starts.
    """
    _check(block, k, smallest, max_products)
    key = jax.random.key(0) if key is None else key
    spare = len(block) - k - smallest
    bottom = smallest + (spare // 2 if k else spare) if smallest else 0
    problem = _Problem(matvec, Wanted(k, smallest, len(block) - bottom, bottom), tolerance, max_products)

    space = project(matvec, orthonormal(block, jax.random.fold_in(key, 0)), min(block.shape[1], max_products))
    search = _look(problem, space, certified=jnp.bool_(False))
    near = sizes(search.ritz)[: k + smallest] <= _NEARLY * search.ritz.scale
    search = search._replace(certified=trusted & jnp.all(near), due=jnp.bool_(spare > 0))

    def cycle(search: _Search) -> _Search:
        search = lax.while_loop(lambda s: _refinable(problem, s), lambda s: _refine(problem, s), search)
        return _explore(problem, search, jax.random.fold_in(key, search.space.products))

    search = lax.while_loop(lambda s: _refinable(problem, s) | _explorable(problem, s), cycle, search)
    ritz, pairs = search.ritz, k + smallest
    block, residuals = ritz.coefficients @ search.space.basis, sizes(ritz)[:pairs]
    converged = (residuals <= tolerance * ritz.scale) & search.certified
    return ExtremeEigenpairs(
        ritz.values[:pairs], block[:pairs], residuals, converged, search.certified, search.space.products, block
    )


def _look(problem: _Problem, space: Space, certified: Bool[Array, ""]) -> _Search:
    ritz = ritz_pairs(space, problem.wanted)
    pairs = problem.wanted.k + problem.wanted.smallest
    unconverged = sizes(ritz)[:pairs] > problem.tolerance * ritz.scale
    return _Search(space, ritz, unconverged, certified, jnp.bool_(False), jnp.bool_(False))


def _refinable(problem: _Problem, search: _Search) -> Bool[Array, ""]:
    room = (search.space.products < problem.max_products) & (search.space.rank < len(search.space.basis))
    return ((jnp.any(search.unconverged) & ~search.stuck) | search.due) & room


def _refine(problem: _Problem, search: _Search) -> _Search:
    """Take the largest residual into the space: of a pair if one is unconverged, else of a guard."""
    lengths, pairs = sizes(search.ritz), len(search.unconverged)
    guards = jnp.full(len(lengths) - pairs, True) & ~jnp.any(search.unconverged)
    worst = jnp.argmax(jnp.where(jnp.concatenate([search.unconverged, guards]), lengths, -1.0))
    vector, length = new_direction(search.ritz.residuals[worst], search.space.basis, rounding_floor(search.ritz))
    search = _look(problem, append(problem.matvec, search.space, vector), search.certified)
    return search._replace(stuck=length == 0)


def _explorable(problem: _Problem, search: _Search) -> Bool[Array, ""]:
    finite = jnp.all(jnp.isfinite(search.ritz.values))
    room = search.space.products < problem.max_products
    return finite & room & ~search.certified & ~jnp.any(search.unconverged)


def _explore(problem: _Problem, search: _Search, key: PRNGKeyArray) -> _Search:
    """Look for eigenvalues beyond the pairs, by Lanczos from a random direction orthogonal to them."""
    ritz, (m, d), pairs = search.ritz, search.space.basis.shape, len(search.unconverged)
    sides = jnp.asarray([1.0, -1.0], ritz.values.dtype)
    ends = ritz.values[jnp.asarray([max(problem.wanted.k, 1), pairs]) - 1] * sides + problem.tolerance * ritz.scale
    enough = 2 * d / (math.pi * _MISSED**2)
    asked = jnp.asarray([problem.wanted.k > 0, problem.wanted.smallest > 0])

    def unfinished(chain: _Chain):
        room = (chain.space.products < problem.max_products) & (chain.space.rank < m)
        return jnp.any(chain.total < enough) & ~chain.beyond & room

    def extend(chain: _Chain) -> _Chain:
        space = append(problem.matvec, chain.space, chain.vector)
        image = space.images[chain.space.rank]
        vector, beta = new_direction(image, space.basis, rounding_floor(ritz))
        polynomial = (ends - sides * (chain.vector @ image)) * chain.polynomial - chain.beta * chain.previous
        beyond = jnp.any((polynomial <= 0) & (chain.total < enough))
        polynomial = polynomial / beta  # infinite where all is found that has a part in the random direction
        total = jnp.where(chain.total < enough, chain.total + polynomial**2, chain.total)
        return _Chain(space, vector, beta, polynomial, chain.polynomial, total, beyond)

    space = restart(search.space, ritz, pairs)
    random = jax.random.normal(key, (d,), ritz.values.dtype)
    vector, length = new_direction(random / jnp.linalg.norm(random), space.basis, rounding(ritz.values.dtype))
    one = jnp.ones(2, ritz.values.dtype)
    total = jnp.where(asked & (length > 0), one, jnp.inf)
    chain = _Chain(space, vector, jnp.zeros_like(length), one, 0 * one, total, jnp.bool_(False))
    chain = lax.while_loop(lambda chain: _explorable(problem, search) & unfinished(chain), extend, chain)
    complete = jnp.all(chain.total >= enough) | (chain.space.rank == d)
    found = _look(problem, chain.space, certified=complete & ~chain.beyond)
    return jax.tree.map(lambda new, old: jnp.where(_explorable(problem, search), new, old), found, search)


def _check(block: Array, k: int, smallest: int, max_products: int) -> None:
    b, d = block.shape
    if k < 0 or smallest < 0 or not 1 <= k + smallest <= b:
        raise ValueError(
            f"eigenpairs: k={k} and smallest={smallest} must be at least 0, and in all between 1 and the {b} rows of "
            "block: give a block of more rows, or ask for fewer pairs"
        )
    if b > min(d, max_products):
        raise ValueError(
            f"eigenpairs: block has {b} rows; at most {min(d, max_products)} are allowed (dimension {d}, max_products "
            f"{max_products}): give fewer rows"
        )
