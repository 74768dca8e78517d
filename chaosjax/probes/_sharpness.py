"""Sharpness: the top of the Hessian's spectrum, followed along the trajectory."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._linalg import lanczos
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition

_FRESH = 0.05
"""Share of a random direction in every start: a start inside an invariant subspace would never leave it."""


class Sharpness(NamedTuple):
    """The sum of the last eigenvectors, from which the next search starts, and the key of its random part."""

    direction: Float[Array, " d"]
    key: PRNGKeyArray


def sharpness(k: int = 1, tolerance: float = 1e-3, max_products: int = 50) -> Probe:
    """The k largest eigenvalues of the Hessian of the full-data loss, ``λ_max(∇²L)``, by warm-started Lanczos.

    Record: the eigenvalues ``[eigenvalue]``, and ``_residual``: the true eigenvalue lies within it. The search
    ends when every residual is below ``tolerance · ‖H‖`` or after `max_products` Hessian-vector products
    (about two gradients each); a residual above that says "not converged". Float32 reaches about 1e-5.

    Full-batch gradient descent is linearly stable for ``λ_max < 2/η``. Take it now and then:
    ``every(20, sharpness())``.

    Raises:
        ValueError: for k < 1 or above `max_products`; when run on a system without a loss.

    Source: Cohen et al., ICLR 2021, arXiv:2103.00065.
    """
    if not 1 <= k <= max_products:
        raise ValueError(f"sharpness: k={k} must be between 1 and max_products={max_products}")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Sharpness:
        u, _ = phase(x)
        first, rest = jax.random.split(key)
        return Sharpness(jax.random.normal(first, u.shape, u.dtype), rest)

    def update(m: Sharpness, transition: Transition) -> Sharpness:
        return m

    def emit(m: Sharpness, transition: Transition):
        key, fresh = jax.random.split(m.key)
        last = transition.project(m.direction)
        random = jax.random.normal(fresh, last.shape, last.dtype)
        first = last / jnp.linalg.norm(last) + _FRESH * random / jnp.linalg.norm(random)
        pairs = lanczos(transition.hvp, first, k, max_products=max_products, tolerance=tolerance)
        record = {"": pairs.values, "residual": pairs.residuals}
        return Sharpness(transition.embed(jnp.sum(pairs.vectors, axis=0)), key), record

    return Probe(
        init,
        update,
        emit,
        dims={"": ("eigenvalue",), "residual": ("eigenvalue",)},
        attrs={
            "long_name": "Hessian eigenvalue",
            "units": "loss per squared parameter",
            "k": k,
            "tolerance": tolerance,
        },
        cost=Cost(products=max_products),
    )
