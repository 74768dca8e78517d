"""The interventions beside a grid of learning rates: at which rates, and their sweeps."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

import chaosjax as cj
from chaosjax import stats
from experiments.questions import interventions

WINDOW = (10, 50)
"""Steps over which exponents are taken: past the alignment of a tangent vector, inside the transient."""


def sweeps(
    dataset: xr.Dataset,
    beside: Any,
    system: cj.System,
    target: float,
    losses: Sequence[float],
    k: int,
    levels: Mapping[str, float],
) -> None:
    """Run `two_rates`, `shaken` and `switched` at the rates of `rates_of`, each into a store of its own.

    Args:
        dataset: the grid's records.
        beside: ``(name, system, probes, axes, **options) -> records``.
        target: the loss that ends training.
        losses: at which rates switch.
        k: directions that count as expanding, at most.
        levels: of the exponent, for `rates_of`.
    """
    calm, chaotic = rates_of(dataset.load(), target, **levels)
    steps, loss = int(dataset["time"][-1]), {"loss": cj.probes.loss()}

    def axes(arms: Sequence[Any]) -> dict[str, Any]:
        return {"learning_rate": chaotic, "arm": range(len(arms)), "seed": dataset["seed"].values}

    within = {
        "grown": cj.probes.reading(lambda transition: transition.x.grown, long_name="growth so far", units="nats"),
        "expanding": cj.probes.reading(lambda transition: jnp.sum(interventions.counted(transition.x.expanding))),
    }
    arms, noises, orders = interventions.ARMS, interventions.NOISES, interventions.ORDERS
    beside("arms", interventions.two_rates(system, calm, k), {**loss, **within}, axes(arms), steps=steps)
    beside("noise", interventions.shaken(system, calm, k), loss, axes(noises), steps=steps)
    first, second = losses
    beside("orders", interventions.switched(system, calm, (first, second)), loss, axes(orders), steps=steps)


def rates_of(dataset: xr.Dataset, target: float, calm: float, chaotic: float) -> tuple[float, list[float]]:
    """The fastest rate with an exponent below `calm`; the fastest above `chaotic`, and the next above that.

    Fastest by the median over seeds of the time to the target. Where the grid has none, its lowest or highest stands.
    """
    exponent, speed = exponents(dataset).mean("seed"), speeds(dataset, target).median("seed")
    quiet, wild = (speed.where(mask, -1.0) for mask in (exponent < calm, exponent > chaotic))
    eta = dataset["learning_rate"].values
    low = float(eta[int(quiet.argmax("learning_rate"))])
    place = int(wild.argmax("learning_rate")) if (exponent > chaotic).any() else len(eta) - 1
    return low, [float(rate) for rate in np.unique(eta[[place, min(place + 1, len(eta) - 1)]])]


def exponents(dataset: xr.Dataset) -> xr.DataArray:
    """The tangent's exponent over `WINDOW`, in nats per step."""
    start, stop = WINDOW
    stop = min(stop, int(dataset["time"][-1]))
    return stats.finite_time_exponents(stats.first_exponent(dataset["growth"]), start, stop)


def times(dataset: xr.Dataset, level: float) -> xr.DataArray:
    """First time at or below a loss, infinite where there is none."""
    return dataset["time"].where(dataset["loss"] <= level).min("time").fillna(np.inf)


def speeds(dataset: xr.Dataset, level: float) -> xr.DataArray:
    """One over the time to a loss, per step: 0 where it is never reached."""
    return 1 / times(dataset, level).clip(1)
