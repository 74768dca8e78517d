"""Extreme eigenpairs of a symmetric operator, followed from one operator to the next."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from chaosjax._linalg import LinearMap, in_any_cell, new_direction
from chaosjax._rayleigh_ritz import Ritz, Space, Wanted, append, empty_space, restart, ritz_pairs, rounding, usable_rows

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
        block: the start of the next search: the pairs' vectors and the next ones of the spectrum, each moved by
            ``± r / ‖H‖``, r its residual, the sign that of its end of the spectrum: a step of the power method, free.
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
    rows: Float[Array, "b d"]
    random: Float[Array, " d"]
    wanted: Wanted
    tolerance: float
    max_products: int


class _Chain(NamedTuple):
    """A Lanczos recurrence from a random direction: its polynomials at the two ends of the spectrum beyond the pairs.

    Attributes:
        beta: the off-diagonal of the last step.
        polynomial: scaled so that a total of 1 leaves a probability of `_MISSED`.
        previous: the polynomial before.
        total: their sum of squares.
        beyond: an eigenvalue of the recurrence lies beyond the pairs.
    """

    beta: Float[Array, ""]
    polynomial: Float[Array, " 2"]
    previous: Float[Array, " 2"]
    total: Float[Array, " 2"]
    beyond: Bool[Array, ""]


class _Search(NamedTuple):
    space: Space
    vector: Float[Array, " d"]  # the next row of the space
    ritz: Ritz
    chain: _Chain
    exploring: Bool[Array, ""]  # the next rows are those of a chain
    certified: Bool[Array, ""]
    extending: Bool[Array, ""]  # rows come before the pairs are read again
    running: Bool[Array, ""]


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

    Cost: with a trusted block one product per row and one per residual taken in. Otherwise as many as convergence
    takes, and the random search, about ``ln(√d / 1e-3) / √gap`` products, with the gap relative to the width of the
    spectrum. Memory: 2·max_products·d.

    Source: Parlett, The Symmetric Eigenvalue Problem (1998), chapters 11 to 13; Kuczyński, Woźniakowski, SIAM J.
    Matrix Anal. Appl. 13 (1992) 1094, for random starts.
    """
    _check(block, k, smallest, max_products)
    (b, d), dtype, key = block.shape, block.dtype, jax.random.key(0) if key is None else key
    spare = b - k - smallest
    bottom = smallest + (spare // 2 if k else spare) if smallest else 0
    wanted = Wanted(k, smallest, b - bottom, bottom)
    random = jax.random.normal(key, block.shape, dtype)
    rows = usable_rows(block, random)
    problem = _Problem(matvec, rows, random[0], wanted, tolerance, max_products)

    m, no, yes = min(d, max_products), jnp.asarray(False), jnp.asarray(True)
    unread = Ritz(*(jnp.zeros(shape, dtype) for shape in ((b,), (b, m), (b, d), (b,), ())))
    space, chain = empty_space(m, d, dtype), _chain(wanted, d, dtype)
    start = _Search(space, rows[0], unread, chain, no, jnp.asarray(trusted), yes, yes)

    def cycle(search: _Search) -> _Search:
        search = lax.while_loop(lambda s: in_any_cell(s.extending), lambda s: _extend(problem, s), search)
        return _decide(problem, search)

    zero = 0 * rows[0, 0]  # makes every part of the start one of the cell's own: vmap then traces the loop once
    start = jax.tree.map(lambda leaf: leaf + zero.astype(leaf.dtype), start)
    search = lax.while_loop(lambda s: in_any_cell(s.running), cycle, start)
    ritz, pairs = search.ritz, k + smallest
    vectors = search.space.combined(ritz.coefficients, search.space.basis)
    sides = np.repeat([1.0, -1.0, 1.0, -1.0], [k, smallest, wanted.top - k, wanted.bottom - smallest])
    steps = jnp.asarray(sides, dtype) / jnp.where(ritz.scale > 0, ritz.scale, 1.0)
    return ExtremeEigenpairs(
        values=ritz.values[:pairs],
        vectors=vectors[:pairs],
        residuals=ritz.sizes[:pairs],
        converged=(ritz.sizes[:pairs] <= tolerance * ritz.scale) & search.certified,
        certified=search.certified,
        products=search.space.products,
        block=vectors + steps[:, None] * ritz.residuals,
    )


def _chain(wanted: Wanted, d: int, dtype: jnp.dtype) -> _Chain:
    one = np.full(2, _MISSED * math.sqrt(math.pi / (2 * d)), dtype)
    asked = np.array([wanted.k > 0, wanted.smallest > 0])
    total = np.where(asked, one**2, np.inf).astype(dtype)
    return _Chain(*map(jnp.asarray, (one[0] * 0, one, one * 0, total, False)))


def _extend(problem: _Problem, search: _Search) -> _Search:
    """Take the next row into the space; the one after it is the block's next, or the chain's."""
    going, last = search.extending, len(problem.rows) - 1
    space, image = append(problem.matvec, search.space, search.vector, going)
    loading = space.products <= last
    following = jnp.where(loading, problem.rows[jnp.minimum(space.products, last)], image)
    floor = jnp.where(loading, 0.0, _floor(search.ritz))
    vector, beta = new_direction(following, space.basis, floor, space.rank)

    chain = _follow(problem, search, search.vector @ image, beta)
    unfinished = search.exploring & jnp.any(chain.total < 1) & ~chain.beyond & _room(problem, space)
    return search._replace(
        space=space,
        vector=vector,
        chain=chain,
        extending=going & (loading | unfinished),
    )


def _follow(problem: _Problem, search: _Search, alpha: Float[Array, ""], beta: Float[Array, ""]) -> _Chain:
    """The polynomials one degree higher."""
    chain, ritz, (k, smallest, *_) = search.chain, search.ritz, problem.wanted
    sides = jnp.asarray([1.0, -1.0], alpha.dtype)
    ends = sides * ritz.values[np.array([max(k, 1), k + smallest]) - 1] + problem.tolerance * ritz.scale
    missing = search.extending & (chain.total < 1)
    polynomial = (ends - sides * alpha) * chain.polynomial - chain.beta * chain.previous
    beyond = chain.beyond | jnp.any((polynomial <= 0) & missing)
    polynomial = jnp.asarray(polynomial) / beta  # infinite where all is found that has a part in the random direction
    total = jnp.where(missing, chain.total + polynomial**2, chain.total)
    return _Chain(beta, polynomial, chain.polynomial, total, beyond)


def _decide(problem: _Problem, search: _Search) -> _Search:
    """Read the pairs, and go on along the largest residual or a random direction where that is needed and possible."""
    space, going, pairs, d = search.space, search.running, problem.wanted.pairs, search.vector.size
    ritz = ritz_pairs(space, problem.wanted)
    unconverged = ritz.sizes[:pairs] > problem.tolerance * ritz.scale
    found = jnp.all(search.chain.total >= 1) & ~search.chain.beyond
    near = jnp.all(ritz.sizes[:pairs] <= _NEARLY * ritz.scale)
    certified = jnp.where(search.exploring, found, search.certified & near) | (space.rank == d)
    certified = jnp.where(going, certified, search.certified)

    refining, finite = jnp.any(unconverged), jnp.isfinite(ritz.scale)
    exploring = going & ~refining & ~certified & finite & (space.products < problem.max_products)
    space = restart(space, ritz.coefficients[:pairs], exploring)
    worst = ritz.residuals[jnp.argmax(jnp.where(unconverged, ritz.sizes[:pairs], -1.0))]
    following = jnp.where(exploring, jnp.roll(problem.random, space.products), worst)
    floor = jnp.where(exploring, 0.0, _floor(ritz))
    vector, length = new_direction(following, space.basis, floor, space.rank)
    going &= (exploring | refining) & _room(problem, space) & (length > 0)
    chain = _chain(problem.wanted, d, ritz.values.dtype)
    return _Search(space, vector, ritz, chain, exploring, certified, going, going)


def _room(problem: _Problem, space: Space) -> Bool[Array, ""]:
    return (space.products < problem.max_products) & (space.rank < len(space.basis))


def _floor(ritz: Ritz) -> Float[Array, ""]:
    """The length of a residual that is rounding."""
    return rounding(ritz.values.dtype) * ritz.scale


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
