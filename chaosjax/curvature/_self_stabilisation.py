"""How the curvature changes with the weights, and what that predicts of the oscillation at the edge."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from chaosjax._system import System, Theta
from chaosjax.curvature._operators import parameters

Field = Callable[[Float[Array, " p"]], Float[Array, " p"]]


class SelfStabilisation(NamedTuple):
    """What progressive sharpening and the curvature of the sharpness predict of the oscillation at the edge.

    Attributes:
        alpha: ``α = −∇L · ∇S⊥``, by which the sharpness would rise, per η and step.
        beta: ``β = ‖∇S⊥‖²``.
        deviation: ``δ = √(2α/β)``, the root mean square of the displacement along u; NaN where α < 0.
    """

    alpha: Float[Array, ""]
    beta: Float[Array, ""]
    deviation: Float[Array, ""]


def self_stabilisation(system: System, x: PyTree, theta: Theta, direction: Float[Array, " p"]) -> SelfStabilisation:
    """Predict the oscillation of gradient descent at the edge of stability from one point of its path.

    ``∇S⊥ = ∇S − u (u·∇S)`` with S the sharpness and u its eigenvector: ``∇S = ∇(uᵀ H u)``. At the edge the mean of
    ``(u·(w_t − w))²`` is δ², where the oscillation's push on the sharpness, ½ δ² β, is what sharpens it, α.

    Args:
        direction: u, of length 1 (`eigenpairs`).

    Raises:
        ValueError: the system has no loss.

    Cost: some five gradients.

    Source: Damian, Nichani, Lee, ICLR 2023, arXiv:2209.15594.
    """
    w, _ = parameters(system, x)
    descent = gradient(system, x, theta)
    slope = second(descent, w, direction, direction)
    across = slope - direction * (direction @ slope)
    alpha, beta = -(descent(w) @ across), across @ across
    square = 2 * alpha / jnp.where(beta > 0, beta, jnp.nan)
    return SelfStabilisation(alpha, beta, jnp.sqrt(jnp.where(square >= 0, square, jnp.nan)))


def gradient(system: System, x: PyTree, theta: Theta) -> Field:
    """``w -> ∇L(w)`` over all samples, with all else as at x."""
    loss = system.loss
    if loss is None:
        raise ValueError("curvature: this System has no loss; give System(loss=...)")
    _, chart = parameters(system, x)
    return jax.grad(lambda w: loss(chart(w), theta, None))


def second(gradient: Field, w: Float[Array, " p"], u: Float[Array, " p"], v: Float[Array, " p"]) -> Float[Array, " p"]:
    """``∇(uᵀ H(w) v)``, as the second derivative of the gradient along u and v."""
    return jax.jvp(lambda w: jax.jvp(gradient, (w,), (u,))[1], (w,), (v,))[1]
