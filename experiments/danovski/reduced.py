"""What is left of a network whose hidden units are all constant: gradient descent on three logits.

A unit that is 0 or 1 on every sample has no derivative, and neither has what lies below it. With m units at 1 each
logit is ``z_k = b_k + Σ_{j at 1} W_jk``, and its m + 1 addends see one and the same gradient,

    z' = z − η_eff (softmax(z) − p),    η_eff = η (1 + m),

with p the class frequencies. The shift of all logits is neutral: a map of the plane. Its fixed point softmax(z) = p,
where the loss is the entropy of p, is lost at ``η_eff = 2 / λ_max(diag p − p pᵀ)``. For large η_eff the softmax is an
argmax and the map is herding, z' = z + η_eff (p − e_argmax z): piecewise translations, whose exponents are 0 (Welling,
ICML 2009).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

import chaosjax as cj
from chaosjax import series, stats
from chaosjax._system import Theta

CHAOS = 0.05
"""Exponent in nats per step above which an orbit counts as chaotic: the study's own level."""

PLANE = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
"""An orthonormal basis of the differences between three logits, ``[2, 3]``."""


class Attractors(NamedTuple):
    """Where each start ends: exponents ``[cell, 2]``, period (0: none up to 64, 1: a fixed point) ``[cell]``."""

    exponents: Float[np.ndarray, "cell 2"]
    period: Float[np.ndarray, " cell"]


def system(
    frequencies: Float[np.ndarray, " 3"], rates: Float[np.ndarray, " cell"], logits: Float[np.ndarray, "cell 3"]
) -> cj.System:
    """The reduced map; the control parameter ``cell`` picks its η_eff and its start out of the lists."""
    p, plane = jnp.asarray(frequencies), jnp.asarray(PLANE)
    rate, start = jnp.asarray(rates), jnp.asarray(logits @ PLANE.T)

    def step(x: Float[Array, " 2"], theta: Theta, noise: None) -> Float[Array, " 2"]:
        return x - rate[theta["cell"].astype(int)] * (plane @ (jax.nn.softmax(x @ plane) - p))

    def loss(x: Float[Array, " 2"], theta: Theta, noise: None) -> Float[Array, ""]:
        return jax.nn.logsumexp(x @ plane) - p @ (x @ plane)

    return cj.System(lambda key, theta: start[theta["cell"].astype(int)], step, loss=loss, theta={"cell": 0.0})


def orbits(
    frequencies: Float[np.ndarray, " 3"],
    rates: Float[np.ndarray, " cell"],
    logits: Float[np.ndarray, "cell 3"],
    steps: int,
    stride: int,
) -> xr.Dataset:
    """Loss, growth and logits of the reduced map from each start, along ``cell``."""
    probes = {
        "loss": cj.probes.loss(),
        "growth": cj.probes.lyapunov(k=2),
        "logits": cj.probes.reading(lambda transition: transition.x @ jnp.asarray(PLANE), dims=("class",)),
    }
    reduced = system(frequencies, rates, logits)
    return cj.sweep(reduced, probes, {"cell": np.arange(float(len(rates)))}, steps=steps, stride=stride, progress=False)


def attractors(
    frequencies: Float[np.ndarray, " 3"], rates: Float[np.ndarray, " cell"], logits: Float[np.ndarray, "cell 3"]
) -> Attractors:
    """Exponents over steps 1,000 to 4,000 from each start, and the period of the 400 steps after those."""
    run = orbits(frequencies, rates, logits, 4000, 1000)
    late = orbits(frequencies, rates, run["logits"].isel(time=-1).values, 400, 1)
    period = series.apply(series.period, late["logits"].isel({"class": 0}))["value"]
    return Attractors(stats.finite_time_exponents(run["growth"], start=1000).values, period.values)


def diagram(frequencies: Float[np.ndarray, " 3"], low: float, high: float, count: int, starts: int) -> xr.DataArray:
    """Leading exponents over η_eff, of the attractors of starts N(0, (η_eff / 2)²): ``[eta_eff, start]``."""
    rates = np.linspace(low, high, count)
    drawn = np.random.default_rng(0).normal(size=(count, starts, 3)) * rates[:, None, None] / 2
    found = attractors(frequencies, np.repeat(rates, starts), drawn.reshape(-1, 3))
    exponents = found.exponents[:, 0].reshape(count, starts)
    return xr.DataArray(exponents, {"eta_eff": rates}, ("eta_eff", "start"))


def critical(frequencies: Float[np.ndarray, " 3"]) -> float:
    """The η_eff at which the fixed point is lost."""
    return 2 / np.linalg.eigvalsh(np.diag(frequencies) - np.outer(frequencies, frequencies))[-1]
