"""Gradient descent small enough to be known exactly: its exponents, and where its behaviour changes."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from chaosjax._system import System, Theta
from chaosjax.systems._reference import Reference

Weights = Float[Array, "*weights"]


class HeavyBall(NamedTuple):
    """The phase point of descent with momentum."""

    weights: Weights
    velocity: Weights


def quadratic(
    curvatures: Sequence[float] = (0.1, 0.7, 1.95), learning_rate: float = 1.0, momentum: float | None = None
) -> System:
    """Gradient descent on ``L(w) = ½ Σ_i h_i w_i²``: the exponents are `quadratic_exponents`, on every orbit.

    ``w' = w − η ∇L``, or, given a momentum β, the heavy ball ``v' = β v − η ∇L, w' = w + v'`` in twice the dimensions.
    Stable for h < 2/η, with momentum for h < (2 + 2β)/η.

    Args:
        curvatures: eigenvalues h of the Hessian.
        learning_rate: default of the control parameter ``learning_rate``, η.
        momentum: default of the control parameter ``momentum``, β; None leaves velocity out of the phase space.

    Source: Polyak, USSR Comput. Math. Math. Phys. 4 (1964) 1.
    """

    def init(key: PRNGKeyArray, theta: Theta) -> Float[Array, " n"]:
        return jax.random.normal(key, (len(curvatures),))

    def loss(w: Float[Array, " n"], theta: Theta) -> Float[Array, ""]:
        return 0.5 * jnp.sum(jnp.asarray(curvatures, w.dtype) * w**2)

    attrs = {"system": "quadratic", "curvatures": list(curvatures)}
    if momentum is None:
        return _gradient_descent(init, loss, {"learning_rate": learning_rate}, attrs)
    return _heavy_ball(init, loss, {"learning_rate": learning_rate, "momentum": momentum}, attrs)


def quadratic_exponents(
    curvatures: Sequence[float], learning_rate: float, momentum: float | None = None
) -> tuple[float, ...]:
    """The exact spectrum ``ln |μ|`` of descent on a quadratic, in nats per step, largest first.

    μ = 1 − ηh for gradient descent; for the heavy ball the two roots of ``μ² − (1 + β − ηh) μ + β = 0``.

    Args:
        curvatures: eigenvalues h of the Hessian.
        learning_rate: η.
        momentum: β of the heavy ball; None for gradient descent.
    """
    if momentum is None:
        factors = [1 - learning_rate * h for h in curvatures]
    else:
        factors = np.concatenate([np.roots([1, learning_rate * h - 1 - momentum, momentum]) for h in curvatures])
    with np.errstate(divide="ignore"):
        return tuple(sorted(np.log(np.abs(factors)).tolist(), reverse=True))


def scalar_net(learning_rate: float = 1.0, target: float = 1.0) -> System:
    """Gradient descent on the two-layer scalar net with one shared weight, ``L(w) = (w² − y)²/4``.

    ``w' = w (1 − z)`` with the scaled residual ``z = η (w² − y)`` (the metric "scaled_residual"), which obeys, with
    a = ηy alone, ``z' = z³ + (a − 2) z² + (1 − 2a) z``. The regimes of a are `SCALAR_NET_REGIMES`; at the minimum the
    exponent is ln |1 − 2a|, and at a = 2, where ``z' = z³ − 3z`` is a Chebyshev polynomial, it is ln 3. That is the
    edge: with y = 1 no orbit left in 10⁹ steps, but an ηy that rounds to more than 2 lets orbits escape.

    Orbits start anywhere in the basin of bounded ones, ``η w² < 2 + a``.

    Args:
        learning_rate: default of the control parameter ``learning_rate``, η.
        target: default of the control parameter ``target``, y > 0.

    Source: Chen, Balasubramanian, Ghosal, Agrawalla, arXiv 2310.01687 (2023).
    """

    def init(key: PRNGKeyArray, theta: Theta) -> Float[Array, ""]:
        edge = jnp.sqrt(2 / theta["learning_rate"] + theta["target"])
        return edge * jax.random.uniform(key, minval=-1.0, maxval=1.0)

    def loss(w: Float[Array, ""], theta: Theta) -> Float[Array, ""]:
        return (w**2 - theta["target"]) ** 2 / 4

    def scaled_residual(w: Float[Array, ""], theta: Theta) -> Float[Array, ""]:
        return theta["learning_rate"] * (w**2 - theta["target"])

    theta = {"learning_rate": learning_rate, "target": target}
    system = _gradient_descent(init, loss, theta, {"system": "scalar_net"})
    return system._replace(metrics={"scaled_residual": scaled_residual})


SCALAR_NET_REGIMES = {
    "monotone": (0.0, 2 * math.sqrt(2) - 2),
    "catapult": (2 * math.sqrt(2) - 2, 1.0),
    "period 2": (1.0, math.sqrt(5) - 1),
    "period doubling": (math.sqrt(5) - 1, 1.30228),
    "chaos": (1.30228, 2.0),
    "divergence": (2.0, math.inf),
}
"""Ranges of a = learning_rate · target of `scalar_net`. Monotone: the loss falls at every step from everywhere in the
basin; catapult: it can rise, and still goes to 0; chaos has its periodic windows. All ends are exact but the one where
chaos begins, the limit of the superstable cycles of period 2, 4, …, 64."""


def perceptron(learning_rate: float = 8.0, positive_fraction: float = 0.3) -> System:
    """Gradient descent on the cross-entropy of a logistic neuron with one weight, ``w' = w − η (σ(w) − p)``.

    All samples have input 1 and a fraction p of them has label 1: ``L(w) = ln(1 + eʷ) − p w``, convex, with its
    minimum at σ(w) = p. For ``η p (1 − p) < 2`` every orbit ends there, with the exponent ln |1 − η p (1 − p)|;
    above, cycles double and, unless p = 1/2, descent can be chaotic.

    Args:
        learning_rate: default of the control parameter ``learning_rate``, η.
        positive_fraction: default of the control parameter ``positive_fraction``, p between 0 and 1.

    Source: Meng, Goujaud, Orvieto, De Sa, arXiv 2507.11228 (2025).
    """

    def init(key: PRNGKeyArray, theta: Theta) -> Float[Array, ""]:
        return jax.random.normal(key)

    def loss(w: Float[Array, ""], theta: Theta) -> Float[Array, ""]:
        return jax.nn.softplus(w) - theta["positive_fraction"] * w

    theta = {"learning_rate": learning_rate, "positive_fraction": positive_fraction}
    return _gradient_descent(init, loss, theta, {"system": "perceptron"})


Start = Callable[[PRNGKeyArray, Theta], Weights]
Loss = Callable[[Weights, Theta], Float[Array, ""]]


def _gradient_descent(init: Start, loss: Loss, theta: Theta, attrs: dict[str, Any]) -> System:
    def step(w: Weights, theta: Theta, noise: None) -> Weights:
        return w - theta["learning_rate"] * jax.grad(loss)(w, theta)

    return System(init, step, loss=lambda w, theta, noise: loss(w, theta), theta=theta, attrs=attrs)


def _heavy_ball(init: Start, loss: Loss, theta: Theta, attrs: dict[str, Any]) -> System:
    def start(key: PRNGKeyArray, theta: Theta) -> HeavyBall:
        w = init(key, theta)
        return HeavyBall(w, jnp.zeros_like(w))

    def step(x: HeavyBall, theta: Theta, noise: None) -> HeavyBall:
        velocity = theta["momentum"] * x.velocity - theta["learning_rate"] * jax.grad(loss)(x.weights, theta)
        return HeavyBall(x.weights + velocity, velocity)

    return System(
        start,
        step,
        loss=lambda x, theta, noise: loss(x.weights, theta),
        params=lambda x: x.weights,
        theta=theta,
        attrs=attrs,
    )


_GRADIENT_DESCENT = quadratic_exponents((0.1, 0.7, 1.95), 1.0)
_HEAVY_BALL = quadratic_exponents((0.1, 1.25, 2.45), 1.0, 0.25)

REFERENCES = {
    "gradient_descent_quadratic": Reference(
        quadratic, _GRADIENT_DESCENT, True, "eigenvalues of the update matrix", sum=math.fsum(_GRADIENT_DESCENT)
    ),
    "heavy_ball_quadratic": Reference(
        partial(quadratic, curvatures=(0.1, 1.25, 2.45), momentum=0.25),
        _HEAVY_BALL,
        True,
        "eigenvalues of the update matrix",
        sum=3 * math.log(0.25),
    ),
    "scalar_net": Reference(
        partial(scalar_net, learning_rate=2.0), (math.log(3),), True, "a Chebyshev polynomial of degree 3"
    ),
    "perceptron": Reference(perceptron, (math.log(8 * 0.21 - 1),), True, "curvature p (1 − p) at the minimum"),
}
"""Records of the small descent maps, by name."""
