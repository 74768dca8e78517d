"""Where covariant Lyapunov vectors point."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from chaosjax._eigenpairs import eigenpairs
from chaosjax._overlaps import overlaps
from chaosjax._system import System, Theta, phase
from chaosjax._transition import Transition
from chaosjax.tangent._covariant_vectors import Covariant


class Alignment(NamedTuple):
    """Overlaps of covariant vectors, at the times at which these were kept.

    Attributes:
        top: squared cosines with the eigenvectors of the k largest eigenvalues of the Hessian.
        bottom: with those of the smallest ones.
        gradient: with the gradient of the full-data loss.
        update: with the step of the parameters.
        layers: shares of the squared length in each layer, in the order of the parameter tree.
        parameters: share of the squared length that lies in the parameters; the rest is the optimizer's state.
        converged: of each eigenvector, the k largest first.
    """

    top: Float[Array, "times n k"]
    bottom: Float[Array, "times n smallest"]
    gradient: Float[Array, "times n"]
    update: Float[Array, "times n"]
    layers: Float[Array, "times n layers"]
    parameters: Float[Array, "times n"]
    converged: Bool[Array, "times pairs"]


def alignment(
    system: System,
    covariant: Covariant,
    theta: Theta,
    *,
    vectors_at: Sequence[int],
    k: int = 1,
    smallest: int = 1,
    tolerance: float = 1e-3,
    max_products: int = 50,
    noise_key: PRNGKeyArray | None = None,
) -> Alignment:
    """Overlap of covariant Lyapunov vectors with eigenvectors of the Hessian, the gradient, the update and the layers.

    As `probes.alignment`, which takes the orthogonal vectors of a frame: ``cos² = (w·e)² / (‖w‖² ‖e‖²)`` with w the
    part of a vector in the parameters.

    Args:
        system: the map that the vectors are of; its phase point has float leaves only.
        covariant: with vectors, found with `vectors_at`.
        theta: the control parameters.
        vectors_at: the times of its vectors.
        k: number of largest eigenvalues.
        smallest: number of smallest eigenvalues.
        tolerance, max_products: of the eigenpairs, as in `probes.sharpness`.
        noise_key: as in `covariant_vectors`.

    Raises:
        ValueError: for times that do not match the vectors, a phase point with counters or keys (a step from its
            coordinates alone would be another one), or a system without a loss.

    Cost: per time at most `max_products` Hessian-vector products, and a step.
    """
    if len(vectors_at) != len(covariant.vectors) or not len(vectors_at):
        raise ValueError(
            f"alignment: {len(vectors_at)} times for {len(covariant.vectors)} sets of vectors; give covariant_vectors "
            "and alignment the same vectors_at"
        )
    key = jax.random.key(0)
    x = system.init(key, theta)
    if any(not jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in jax.tree.leaves(x)):
        raise ValueError("alignment: the phase point has counters or random keys, which its coordinates do not hold")
    noise_key, (_, chart) = key if noise_key is None else noise_key, phase(x)

    def at(t: Int[Array, ""], point: Float[Array, " d"], vectors: Float[Array, "n d"]) -> Alignment:
        transition = Transition(system, t, chart(point), theta, noise_key)
        p = phase(transition.params)[0].size
        rows = min(k + smallest + 2, p, max_products)
        block = jax.random.normal(jax.random.fold_in(key, t), (rows, p), point.dtype)
        pairs = eigenpairs(transition.hvp, block, k, smallest, tolerance=tolerance, max_products=max_products)
        found = overlaps(transition, vectors, pairs.vectors[:k], pairs.vectors[k:])
        return Alignment(**found, converged=pairs.converged)

    times = jnp.asarray(np.asarray(vectors_at), jnp.int32)
    return jax.lax.map(lambda inputs: at(*inputs), (times, covariant.points, covariant.vectors))
