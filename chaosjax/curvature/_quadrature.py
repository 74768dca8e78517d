"""The spectrum of a symmetric operator as a measure: nodes and weights of stochastic Lanczos quadrature."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from chaosjax._krylov import lanczos
from chaosjax._linalg import LinearMap, unbatched


class Quadrature(NamedTuple):
    """``(1/p) Σ_j f(λ_j) ≈ mean over vectors of Σ weights · f(nodes)``, with the spread over vectors its error.

    Attributes:
        nodes: smallest first.
        weights: of each vector's nodes, sum 1.
    """

    nodes: Float[Array, "m depth"]
    weights: Float[Array, "m depth"]


def quadrature(matvec: LinearMap, normals: Float[Array, "m p"], depth: int) -> Quadrature:
    """Quadrature of the spectral measure of a symmetric p × p operator by the Lanczos recurrence of each vector.

    The recurrence from ``ω / ‖ω‖`` gives a tridiagonal T with eigenvalues θ and eigenvectors y; nodes θ and weights
    ``y_1²`` integrate every polynomial of degree below 2·depth exactly against that vector's own measure, of which
    the spectral measure is the mean. So what is smooth at the scale of the nodes' distances has only the error of a
    mean over vectors, and `stats.spectral_integral` states it.

    Args:
        matvec: ``v -> A v``, A symmetric.
        normals: m independent standard normal rows.
        depth: products per vector; the dimension is enough.

    Returns:
        Nodes and weights; of a space that is exhausted before (a matrix of few distinct eigenvalues) the nodes left
        over are 0, and so are their weights. NaN for an operator that returns NaN.

    Cost: m · depth products; memory depth·p.

    Source: Ubaru, Chen, Saad, SIAM J. Matrix Anal. Appl. 38 (2017) 1075; Golub, Welsch, Math. Comp. 23 (1969) 221;
        Ghorbani, Krishnan, Xiao, ICML 2019, arXiv:1901.10159.
    """
    p = normals.shape[1]
    m = min(depth, p)

    def of_vector(first: Float[Array, " p"]) -> tuple[Array, Array]:
        space = lanczos(matvec, first, m)
        beyond = jnp.diag(space.beta[:-1], 1)
        nodes, vectors = unbatched(jnp.linalg.eigh)(jnp.diag(space.alpha) + beyond + beyond.T)
        weights = vectors[0] ** 2
        room = depth - m
        return jnp.pad(nodes, (0, room)), jnp.pad(weights, (0, room))

    return Quadrature(*lax.map(of_vector, normals))
