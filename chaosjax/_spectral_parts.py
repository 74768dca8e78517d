"""A vector split by the spectrum of a symmetric operator, matrix-free."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chaosjax._krylov import lanczos
from chaosjax._linalg import LinearMap, unbatched


class Spectrum(NamedTuple):
    """The spectral measure of a vector by n Lanczos steps: Gauss quadrature, exact for polynomials of degree 2n − 1.

    Attributes:
        values: Ritz values θ, of the whole basis and of its first three quarters.
        weights: the part of the vector along each Ritz vector, c.
        vectors: each Ritz vector's coefficients in the basis, as columns.
        basis: orthonormal rows; 0 where the Krylov space is exhausted.
        image: the operator's product with the vector.
    """

    values: Float[Array, "2 n"]
    weights: Float[Array, "2 n"]
    vectors: Float[Array, "2 n n"]
    basis: Float[Array, "n d"]
    image: Float[Array, " d"]

    def part(self, low: Float[Array, ""] | float, high: Float[Array, ""] | float) -> Float[Array, "2 d"]:
        """The parts of the vector with ``low < θ < high``, by the whole basis and by its first three quarters."""
        inside = (self.values > low) & (self.values < high)
        coefficients = jnp.einsum("rij,rj->ri", self.vectors, jnp.where(inside, self.weights, 0.0))
        return coefficients @ self.basis


def spectrum_of(matvec: LinearMap, vector: Float[Array, " d"], products: int) -> Spectrum:
    """Run Lanczos from a vector, with full reorthogonalisation.

    Cost: `products` products, memory products·d.
    """
    n = min(products, vector.size)
    length = jnp.linalg.norm(vector)
    space = lanczos(matvec, jnp.where(length > 0, vector, 1.0), n)  # a vector of length 0 has no parts
    image = space.right[:2].T @ jnp.stack([space.alpha[0], space.beta[0]])[: min(n, 2)]
    whole = jnp.diag(space.alpha) + jnp.diag(space.beta[: n - 1], 1) + jnp.diag(space.beta[: n - 1], -1)
    held = jnp.arange(n) < max(1, 3 * n // 4)
    fewer = jnp.where(held[:, None] & held[None], whole, 0.0)
    values, vectors = jax.vmap(unbatched(jnp.linalg.eigh))(jnp.stack([whole, fewer]))
    return Spectrum(values, length * vectors[:, 0, :], vectors, space.right, length * image)
