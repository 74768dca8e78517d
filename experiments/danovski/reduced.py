"""What is left of a network whose hidden units are all constant: gradient descent on three logits.

A unit that is 0 or 1 on every sample has no derivative, and neither has what lies below it. With m units at 1 each
logit is ``z_k = b_k + Σ_{j at 1} W_jk``, and its m + 1 addends see one and the same gradient,

    z' = z − η_eff (softmax(z) − p),    η_eff = η (1 + m),

with p the class frequencies. The shift of all logits is neutral: a map of the plane. Its fixed point softmax(z) = p,
where the loss is the entropy of p, is lost at ``η_eff = 2 / λ_max(diag p − p pᵀ)``. For large η_eff the softmax is an
argmax and the map is herding, z' = z + η_eff (p − e_argmax z): piecewise translations, whose exponents are 0 (Welling,
ICML 2009).
"""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

import chaosjax as cj
from chaosjax import series, stats

PLANE = np.array([[1, -1, 0], [1, 1, -2]]) / np.sqrt([[2], [6]])
"""An orthonormal basis of the differences between three logits, ``[2, 3]``."""


RATES, STARTS = np.linspace(3.0, 32.0, 117), 8
"""The η_eff of the bifurcation diagram, and random starts at each."""

TRANSIENT, STEPS, LATE = 1000, 4000, 400
"""Steps until an orbit is on its attractor; until its exponents are taken; and after these, for its period."""


class Run(Protocol):
    def __call__(
        self, name: str, system: cj.System, probes: dict[str, cj.Probe], axes: dict[str, Any], /, **options: Any
    ) -> xr.Dataset:
        """Run a sweep into a store of that name, or open it; the options are those of `chaosjax.sweep`."""
        ...


def system(
    frequencies: Float[np.ndarray, " 3"], rates: Float[np.ndarray, " cell"], logits: Float[np.ndarray, "cell 3"]
) -> cj.System:
    """The reduced map; the control parameter ``cell`` picks its η_eff and its start out of the lists."""
    p, plane = jnp.asarray(frequencies), jnp.asarray(PLANE)
    rate, start = jnp.asarray(rates), jnp.asarray(logits @ PLANE.T)

    def step(x: Float[Array, " 2"], theta: Mapping[str, Any], noise: None) -> Float[Array, " 2"]:
        return x - rate[theta["cell"].astype(int)] * (plane @ (jax.nn.softmax(x @ plane) - p))

    def loss(x: Float[Array, " 2"], theta: Mapping[str, Any], noise: None) -> Float[Array, ""]:
        return jax.nn.logsumexp(x @ plane) - p @ (x @ plane)

    return cj.System(lambda key, theta: start[theta["cell"].astype(int)], step, loss=loss, theta={"cell": 0.0})


def orbits(
    run: Run,
    name: str,
    frequencies: Float[np.ndarray, " 3"],
    rates: Float[np.ndarray, " cell"],
    logits: Float[np.ndarray, "cell 3"],
    steps: int,
    stride: int,
) -> xr.Dataset:
    """Run the reduced map from each start, along ``cell``, and record its loss, growth and logits."""
    probes = {
        "loss": cj.probes.loss(),
        "growth": cj.probes.lyapunov(k=2),
        "logits": cj.probes.reading(lambda transition: transition.x @ jnp.asarray(PLANE), dims=("class",)),
    }
    axes, config = {"cell": np.arange(float(len(rates)))}, {"frequencies": frequencies.tolist()}
    return run(name, system(frequencies, rates, logits), probes, axes, steps=steps, stride=stride, config=config)


def diagram_orbits(run: Run, frequencies: Float[np.ndarray, " 3"]) -> None:
    """Run the reduced map at each of `RATES` from starts N(0, (η_eff / 2)²)."""
    drawn = np.random.default_rng(0).normal(size=(len(RATES), STARTS, 3)) * RATES[:, None, None] / 2
    orbits(run, "diagram", frequencies, np.repeat(RATES, STARTS), drawn.reshape(-1, 3), STEPS, TRANSIENT)


def diagram(orbits: xr.Dataset) -> xr.DataArray:
    """Leading exponents of the attractors over η_eff, ``[eta_eff, start]``, from what `diagram_orbits` recorded."""
    exponents = stats.finite_time_exponents(stats.first_exponent(orbits["growth"]), start=TRANSIENT)
    return xr.DataArray(exponents.values.reshape(len(RATES), STARTS), {"eta_eff": RATES}, ("eta_eff", "start"))


def period(late: xr.Dataset) -> xr.DataArray:
    """The period of each orbit, ``[cell]``, from `LATE` steps on its attractor; 0: none up to 64, 1: a fixed point."""
    return series.apply(series.period, late["logits"].isel({"class": 0}))["value"]


def critical(frequencies: Float[np.ndarray, " 3"]) -> float:
    """The η_eff at which the fixed point is lost."""
    return 2 / np.linalg.eigvalsh(np.diag(frequencies) - np.outer(frequencies, frequencies))[-1]
