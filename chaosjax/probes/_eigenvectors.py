"""Extreme eigenvectors of an operator over the parameters, carried from one search to the next."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from chaosjax._eigenpairs import ExtremeEigenpairs, eigenpairs
from chaosjax._linalg import LinearMap
from chaosjax._system import phase
from chaosjax._transition import Transition

_AUDIT = 25
"""Every so many searches the spectrum is searched anew, for an eigenvector that no row of the block has followed."""


class Wanted(NamedTuple):
    """Which pairs, how well, and for how many products at most."""

    k: int
    smallest: int
    tolerance: float
    max_products: int


class Followed(NamedTuple):
    """What the next search starts from.

    Attributes:
        block: the eigenvectors of the last search, and a guard for each end of the spectrum.
        certified: no eigenvalue beyond theirs had been missed then.
        searches: number of searches so far.
        key: of the random directions.
    """

    block: Float[Array, "b d"]
    certified: Bool[Array, ""]
    searches: Int[Array, ""]
    key: PRNGKeyArray


def unfollowed(key: PRNGKeyArray, x: PyTree, wanted: Wanted) -> Followed:
    """Nothing to start from."""
    u, _ = phase(x)
    rows = min(wanted.k + wanted.smallest + (wanted.k > 0) + (wanted.smallest > 0), wanted.max_products)
    return Followed(jnp.zeros((rows, u.size), u.dtype), jnp.bool_(False), jnp.int32(0), key)


def follow(
    m: Followed, transition: Transition, matvec: LinearMap, wanted: Wanted
) -> tuple[Followed, ExtremeEigenpairs]:
    """The extreme eigenpairs of an operator at x, from those of the search before."""
    block = jax.vmap(transition.project)(m.block)
    rows = min(block.shape)
    pairs = eigenpairs(
        matvec,
        block[:rows],
        wanted.k,
        wanted.smallest,
        tolerance=wanted.tolerance,
        max_products=wanted.max_products,
        trusted=m.certified & (m.searches % _AUDIT != 0),
        key=jax.random.fold_in(m.key, m.searches),
    )
    block = m.block.at[:rows].set(jax.vmap(transition.embed)(pairs.block))
    return Followed(block, pairs.certified, m.searches + 1, m.key), pairs
