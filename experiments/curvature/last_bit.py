"""Two runs that differ in the last bit of one weight, through the edge of stability: when they part, and how fast."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, PRNGKeyArray, PyTree
from matplotlib.figure import Figure

import chaosjax as cj
from chaosjax import stats
from experiments import Experiment, Finding, beyond, claim, number, panels

PARTED = 1e-3
"""Distance over ‖w‖ at which two runs have parted."""

SMALL = (1e-12, 1e-5)
"""Distances over ‖w‖ between which their growth is held against the tangent's."""

NAMES = {"sweep": "tanh", "relu": "ReLU"}


def probe() -> cj.Probe:
    """The distance ``‖w' − w‖`` of a copy whose largest weight begins one unit in the last place up, and ``‖w‖``."""

    def init(key: PRNGKeyArray, x: PyTree, theta: Any) -> PyTree:
        u, chart = cj.phase(x)
        largest = jnp.argmax(jnp.abs(u))  # one that is 0 would move by what every sum rounds away
        return chart(u.at[largest].set(jnp.nextafter(u[largest], jnp.inf)))

    def members(m: PyTree) -> cj.Members:
        return cj.Members(jax.tree.map(lambda leaf: leaf[None], m))

    def update(m: PyTree, transition: cj.Transition, images: PyTree) -> PyTree:
        return jax.tree.map(lambda leaf: leaf[0], images)

    def emit(m: PyTree, transition: cj.Transition) -> tuple[PyTree, dict[str, Array]]:
        here, there = cj.phase(transition.x)[0], cj.phase(m)[0]
        return m, {"": jnp.linalg.norm(there - here)[None], "size": jnp.linalg.norm(here)}

    dims = {"": ("copy",), "size": ()}
    attrs = {"long_name": "distance of the runs", "units": "1"}
    return cj.Probe(init, update, emit, dims=dims, attrs=attrs, members=members, cost=cj.Cost(steps=1))


def chebyshev(degree: int, samples: int) -> cj.datasets.Dataset:
    """The Chebyshev polynomial ``T_k`` at equally spaced points of [−1, 1]; the test set is the training set."""
    x = np.linspace(-1, 1, samples)[:, None]
    y = np.cos(degree * np.arccos(x))
    return cj.datasets.Dataset(x, y, x, y, 1, {"name": f"Chebyshev polynomial of degree {degree}"})


def others(dataset: xr.Dataset, run: Any, system: cj.System, probes: Any, axes: Any, stride: int) -> None:
    """The same of the ReLU network."""
    run("relu", system, probes, axes, steps=int(dataset["time"][-1]), stride=stride)


def summarise(records: dict[str, xr.Dataset]) -> xr.Dataset:
    """When the runs part, when the sharpness first exceeds 2/η, and growth between the two small distances."""
    return xr.concat([_of(records[name]) for name in NAMES], xr.DataArray(list(NAMES.values()), dims="activation"))


def _of(dataset: xr.Dataset) -> xr.Dataset:
    rate = float(dataset["learning_rate"][0])
    dataset = dataset.isel(learning_rate=0, copy=0, eigenvalue=0, exponent=0, drop=True)
    relative = dataset["distance"] / dataset["distance_size"]
    time = dataset["time"]
    parted = first(relative > PARTED)
    load = dataset["sharpness"] * rate / 2
    edge = first(load > 1)
    stop = first(relative > SMALL[1])
    start = time.where((relative < SMALL[0]) & (time < stop)).max("time")
    inside = (time > start) & (time <= stop)
    logarithm = xr.ufuncs.log(relative.where(relative > 0))
    grown = logarithm.where(time == stop).sum("time") - logarithm.where(time == start).sum("time")
    known = start.notnull() & stop.notnull()
    seen = dataset["growth_known"].astype(bool)
    tangent = dataset["growth"].where(inside).sum("time").where((seen | ~inside).all("time"))
    return xr.Dataset(
        {
            "relative": relative,
            "loss": dataset["loss"],
            "parted": parted,
            "edge": edge,
            "exponent": (grown / (stop - start)).where(known),
            "predicted": (tangent / (stop - start)).where(known),
            "load": load,
        }
    )


def first(flag: xr.DataArray) -> xr.DataArray:
    """The first time at which it is true; NaN if it never is."""
    return flag["time"].where(flag).min("time")


def findings(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> list[Finding]:
    tanh, relu = (summary.sel(activation=name) for name in NAMES.values())
    fractions = [stats.fraction(each["parted"].notnull()) for each in (tanh, relu)]
    both = tanh["parted"].notnull() & tanh["edge"].notnull()
    late = stats.fraction((tanh["parted"] >= tanh["edge"]).where(both, drop=True)) if bool(both.any()) else None
    found = [
        claim("last bit", "tanh: runs that part", "they part", fractions[0], stats.above(fractions[0], 0.5)),
        claim("last bit", "ReLU: runs that part", "they do not", fractions[1], stats.below(fractions[1], 0.5)),
    ]
    if late is not None:
        found.append(claim("last bit", "tanh: not before the edge", "after it", late, stats.above(late, 0.5)))
    for name, each in (("tanh", tanh), ("ReLU", relu)):
        wait = (each["parted"] - each["edge"]).dropna("seed")
        if wait.sizes["seed"] > 1:
            told = "steps from the edge until they have parted"
            found.append(beyond("last bit", f"{name}: {told}", stats.mean_interval(wait), unit="steps"))
        rate, ratio = each["exponent"].dropna("seed"), (each["exponent"] / each["predicted"]).dropna("seed")
        if rate.sizes["seed"] > 1:
            told = f"growth from {SMALL[0]:g} to {SMALL[1]:g} of ‖w‖"
            found.append(beyond("last bit", f"{name}: {told}", stats.mean_interval(rate), unit="nats/step"))
        if ratio.sizes["seed"] > 1:
            told = "over that of a tangent vector in the same window, where the frames could know it"
            count = f"{ratio.sizes['seed']} of {rate.sizes['seed']} runs"
            found.append(number("last bit", f"{name}: that growth {told} ({count})", 1.0, stats.mean_interval(ratio)))
    return found


def figures(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> dict[str, Figure]:
    figure, axes = panels(2, 2, (9, 6), sharex=True)
    for column, name in enumerate(NAMES.values()):
        each = summary.sel(activation=name)
        top, bottom = axes[column], axes[2 + column]
        for seed in each["seed"].values:
            cell = each.sel(seed=seed)
            colour = f"C{int(seed) % 10}"
            top.plot(cell["time"], cell["relative"].where(cell["relative"] > 0), color=colour, linewidth=1)
            load = cell["load"].dropna("time")
            bottom.plot(load["time"], load, color=colour, linewidth=1)
        top.axhline(PARTED, color="black", linewidth=0.5, linestyle="--")
        top.set(yscale="log", title=name, ylim=(1e-17, 1))
        bottom.axhline(1, color="black", linewidth=0.5)
        bottom.set(xlabel="time t (steps)", ylim=(0, 1.6))
    axes[0].set_ylabel("distance of the runs / ‖w‖ (L2)")
    axes[2].set_ylabel("sharpness · η/2")
    eta = float(records["sweep"]["learning_rate"][0])
    figure.suptitle(f"Runs that begin one unit in the last place apart, η = {eta:g}; dashed: parted", fontsize="small")
    return {"last_bit": figure}


def words(summary: xr.Dataset, records: dict[str, xr.Dataset]) -> dict[str, Any]:
    """Data, clocks and distances, from the records."""
    known = cj.provenance_of(records["sweep"])["identity"]["system"]["dataset"]
    tanh = records["sweep"]
    age = int(tanh["growth"].attrs["reseed_steps"])
    return {
        "data": known["name"],
        "samples": known["train_samples"],
        "every": int(tanh["sharpness"].attrs["every"]),
        "stride": int(tanh["time"][1]),
        "age": age,
        "twice": 2 * age,
        "low": SMALL[0],
        "high": SMALL[1],
    }


report = Experiment(summarise, figures, findings, words)
