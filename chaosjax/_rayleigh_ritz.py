"""Rayleigh–Ritz: the best eigenpairs of a symmetric operator within a space that grows by one vector at a time."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from chaosjax._linalg import LinearMap, of_leading_rows, unbatched


class Space(NamedTuple):
    """An orthonormal basis, its images, the projected operator, and the products it took.

    Only `rank` rows of each are part of the space; what stands in the others is of no account.
    """

    basis: Float[Array, "m d"]
    images: Float[Array, "m d"]
    projected: Float[Array, "m m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]

    def combined(self, coefficients: Float[Array, "n m"], rows: Float[Array, "m d"]) -> Float[Array, "n d"]:
        """Combinations of the basis, or of its images; the coefficients of rows beyond the rank are 0."""
        return of_leading_rows(rows, self.rank, lambda rows: coefficients[:, : len(rows)] @ rows)


class Wanted(NamedTuple):
    """How many pairs of each end are read: `top` and `bottom`, of which `k` and `smallest` are the pairs asked for."""

    k: int
    smallest: int
    top: int
    bottom: int

    @property
    def pairs(self) -> int:
        """The number of pairs asked for."""
        return self.k + self.smallest


class Ritz(NamedTuple):
    """Ritz pairs of a space: those asked for, then the guards."""

    values: Float[Array, " b"]
    coefficients: Float[Array, "b m"]
    residuals: Float[Array, "b d"]
    sizes: Float[Array, " b"]
    scale: Float[Array, ""]


def empty_space(m: int, d: int, dtype: jnp.dtype) -> Space:
    """A space without rows, with room for m."""
    rows, zero = jnp.zeros((m, d), dtype), jnp.int32(0)
    return Space(rows, rows, jnp.zeros((m, m), dtype), zero, zero)


def append(
    matvec: LinearMap, space: Space, vector: Float[Array, " d"], taken: Bool[Array, ""]
) -> tuple[Space, Float[Array, " d"]]:
    """Add a row, by one product, where it is `taken`; also its image."""
    image = matvec(vector)
    j = jnp.where(taken, space.rank, len(space.basis))  # a row that does not exist is not written
    basis = space.basis.at[j].set(vector)
    m, count = len(basis), space.rank + taken
    row = of_leading_rows(basis, count, lambda rows: jnp.zeros(m, rows.dtype).at[: len(rows)].set(rows @ image))
    space = Space(
        basis=basis,
        images=space.images.at[j].set(image),
        projected=space.projected.at[j].set(row).at[:, j].set(row),
        rank=count,
        products=space.products + taken,
    )
    return space, image


def restart(space: Space, coefficients: Float[Array, "n m"], taken: Bool[Array, ""]) -> Space:
    """The space of some orthonormal combinations of the rows, where it is `taken`."""
    n = len(coefficients)
    projected = space.projected.at[:n, :n].set(coefficients @ space.projected @ coefficients.T)
    rows = jnp.where(taken, jnp.arange(n), len(space.basis))
    return Space(
        basis=space.basis.at[rows].set(space.combined(coefficients, space.basis)),
        images=space.images.at[rows].set(space.combined(coefficients, space.images)),
        projected=jnp.where(taken, projected, space.projected),
        rank=jnp.where(taken, n, space.rank),
        products=space.products,
    )


def ritz_pairs(space: Space, wanted: Wanted) -> Ritz:
    """Rows of the projected operator beyond the rank are moved below its spectrum."""
    m = len(space.basis)
    held = jnp.arange(m) < space.rank
    projected = jnp.where(held[:, None] & held[None], space.projected, 0.0)
    below = -2 * jnp.max(jnp.sum(jnp.abs(projected), axis=0)) - 1
    values, vectors = unbatched(jnp.linalg.eigh)(projected + jnp.diag(jnp.where(held, 0.0, below)))
    k, s, lowest = wanted.k, wanted.smallest, m - space.rank
    order = m - 1 - np.arange(wanted.top)
    if wanted.bottom:
        bottom = jnp.minimum(lowest + np.arange(wanted.bottom), m - 1)
        order = jnp.concatenate([order[:k], bottom[:s], order[k:], bottom[s:]])
    scale = jnp.maximum(jnp.abs(values[-1]), jnp.abs(values[lowest]))
    values, coefficients = values[order], jnp.where(held[None], vectors.T[order], 0.0)
    images, vectors = (space.combined(coefficients, rows) for rows in (space.images, space.basis))
    residuals = images - values[:, None] * vectors
    return Ritz(values, coefficients, residuals, jnp.linalg.norm(residuals, axis=1), scale)


def usable_rows(block: Float[Array, "b d"], random: Float[Array, "b d"]) -> Float[Array, "b d"]:
    """Rows of length 1, with a random part just above rounding: it is what remains of a useless row."""
    rows = block / jnp.linalg.norm(block, axis=1, keepdims=True)
    rows = jnp.where(jnp.isfinite(rows), rows, 0.0) + rounding(block.dtype) / math.sqrt(block.shape[1]) * random
    return rows.at[0].divide(jnp.linalg.norm(rows[0]))


def rounding(dtype: jnp.dtype) -> float:
    """The relative length of what is rounding."""
    return 10 * float(jnp.finfo(dtype).eps)
