"""Rayleigh–Ritz: the best eigenpairs of a symmetric operator within a space that grows by one vector at a time."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from chaosjax._linalg import LinearMap, new_direction, unbatched


class Space(NamedTuple):
    """An orthonormal basis (rows, then zeros), its images, and the projected operator."""

    basis: Float[Array, "m d"]
    images: Float[Array, "m d"]
    projected: Float[Array, "m m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]


class Wanted(NamedTuple):
    """How many pairs of each end are read: `top` and `bottom`, of which `k` and `smallest` are the pairs asked for."""

    k: int
    smallest: int
    top: int
    bottom: int


class Ritz(NamedTuple):
    """Ritz pairs of a space: those asked for, then the guards."""

    values: Float[Array, " b"]
    coefficients: Float[Array, "b m"]
    residuals: Float[Array, "b d"]
    scale: Float[Array, ""]


def project(matvec: LinearMap, rows: Float[Array, "b d"], m: int) -> Space:
    """The space of some orthonormal rows, with room for m."""
    b, d = rows.shape
    images = lax.map(matvec, rows)
    empty = jnp.zeros((m, d), rows.dtype)
    projected = jnp.zeros((m, m), rows.dtype).at[:b, :b].set(rows @ images.T)
    return Space(empty.at[:b].set(rows), empty.at[:b].set(images), projected, jnp.int32(b), jnp.int32(b))


def append(matvec: LinearMap, space: Space, vector: Float[Array, " d"]) -> Space:
    """Add a row, by one product; none for a vector of 0."""
    j, used = space.rank, jnp.any(vector != 0)
    image = jnp.where(used, matvec(vector), 0.0)
    basis = space.basis.at[j].set(vector)
    row = basis @ image
    return Space(
        basis=basis,
        images=space.images.at[j].set(image),
        projected=space.projected.at[j].set(row).at[:, j].set(row),
        rank=j + used,
        products=space.products + used,
    )


def restart(space: Space, ritz: Ritz, pairs: int) -> Space:
    """The space of the pairs alone."""
    coefficients = ritz.coefficients[:pairs]
    projected = coefficients @ space.projected @ coefficients.T
    return Space(
        basis=jnp.zeros_like(space.basis).at[:pairs].set(coefficients @ space.basis),
        images=jnp.zeros_like(space.images).at[:pairs].set(coefficients @ space.images),
        projected=jnp.zeros_like(space.projected).at[:pairs, :pairs].set(projected),
        rank=jnp.int32(pairs),
        products=space.products,
    )


def ritz_pairs(space: Space, wanted: Wanted) -> Ritz:
    """Rows of the projected operator beyond the rank are moved below its spectrum."""
    m = len(space.basis)
    below = -2 * jnp.max(jnp.sum(jnp.abs(space.projected), axis=0)) - 1
    missing = jnp.where(jnp.arange(m) < space.rank, 0.0, below)
    values, vectors = unbatched(jnp.linalg.eigh)(space.projected + jnp.diag(missing))
    lowest = m - space.rank
    top = m - 1 - jnp.arange(wanted.top)
    bottom = jnp.minimum(lowest + jnp.arange(wanted.bottom), m - 1)
    k, s = wanted.k, wanted.smallest
    order = jnp.concatenate([top[:k], bottom[:s], top[k:], bottom[s:]])
    scale = jnp.maximum(jnp.abs(values[-1]), jnp.abs(values[lowest]))
    values, coefficients = values[order], vectors.T[order]
    residuals = coefficients @ space.images - values[:, None] * (coefficients @ space.basis)
    return Ritz(values, coefficients, residuals, scale)


def orthonormal(block: Float[Array, "b d"], key: PRNGKeyArray) -> Float[Array, "b d"]:
    """The rows made orthonormal, random ones in the place of those that are useless."""
    least = float(jnp.finfo(block.dtype).eps) ** 0.5
    random = jax.random.normal(key, block.shape, block.dtype)

    def add(i: Int[Array, ""], rows: Float[Array, "b d"]) -> Float[Array, "b d"]:
        length = jnp.linalg.norm(block[i])
        usable = jnp.isfinite(length) & (length > 0)
        row, left = new_direction(jnp.where(usable, block[i] / jnp.where(usable, length, 1.0), 0.0), rows, least)
        other, _ = new_direction(random[i], rows, 0.0)
        return rows.at[i].set(jnp.where(left > 0, row, other))

    return lax.fori_loop(0, len(block), add, jnp.zeros_like(block))


def sizes(ritz: Ritz) -> Float[Array, " b"]:
    return jnp.linalg.norm(ritz.residuals, axis=1)


def rounding(dtype: jnp.dtype) -> float:
    return 10 * float(jnp.finfo(dtype).eps)


def rounding_floor(ritz: Ritz) -> Float[Array, ""]:
    """The length of a residual that is rounding."""
    return rounding(ritz.values.dtype) * ritz.scale
