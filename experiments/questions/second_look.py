"""The landmarks of a network with more seeds where the first ones leave an answer open."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

import chaosjax as cj
from chaosjax import provenance_of, stats
from experiments.questions.landmarks import answers, landmarks_of

NUMBERS = {"near": ("near_price",), "gain": ("speed_up",), "chaotic": ("exponent",)}
"""What each answer rests on; more seeds replace both together."""

SHARED = ("onset", "fastest", "training_time", "reached_fraction", "ratio", "price", "window")
"""What more seeds replace wherever they were taken."""

SLOW = 1.5
"""Learning rates that take longer than this, relatively, are not looked at again."""


def sweeps(
    dataset: xr.Dataset, beside: Any, system: cj.System, probes: Mapping[str, cj.Probe], seeds: int, **settings: Any
) -> None:
    """Run more seeds of each initialisation scale that has an open answer, each into a store of its own.

    Args:
        dataset: the records of the network.
        beside: ``(name, system, probes, axes, **options) -> records``.
        seeds: how many more; 0: none.
        settings: of `first_look`.
    """
    if not seeds:
        return
    dataset = dataset.load()
    first, steps = first_look(dataset, **settings), int(dataset["time"][-1])
    own = np.arange(seeds) + int(dataset["seed"].max()) + 1
    for place, scale in enumerate(dataset["init_scale"].values):
        rates = rates_again(first.isel(init_scale=place))
        if len(rates):
            axes = {"init_scale": [scale], "learning_rate": rates, "seed": own}
            beside(f"more_{place}", system, probes, axes, steps=steps)


def stores_of(parts: xr.Dataset | Mapping[str, xr.Dataset]) -> Mapping[str, xr.Dataset]:
    """The records of a network under "sweep", and those of more seeds beside them."""
    return {"sweep": parts} if isinstance(parts, xr.Dataset) else parts


def cases_of(parts: xr.Dataset | Mapping[str, xr.Dataset], **settings: Any) -> xr.Dataset:
    """The landmarks and answers of a network, ``[init_scale, share]``; those left open by the first seeds from all.

    `again` says which cases were looked at with more seeds.
    """
    stores = stores_of(parts)
    dataset = stores["sweep"]
    first = first_look(dataset, **settings)
    looks: list[xr.Dataset] = []
    for place, scale in enumerate(dataset["init_scale"].values):
        own = first.isel(init_scale=[place])
        if f"more_{place}" in stores:
            more = stores[f"more_{place}"].squeeze("init_scale", drop=True)
            both = together(dataset.sel(init_scale=scale, drop=True), more)
            own = replaced(own, _looked(both, own["threshold"].isel(init_scale=0, drop=True), **settings))
        looks.append(own)
    return xr.concat(looks, "init_scale", coords="minimal", compat="override", data_vars="all")


def first_look(
    dataset: xr.Dataset,
    level: float,
    factor: float,
    shares: Sequence[float],
    least_window: int,
    learns: float,
    equal: float,
) -> xr.Dataset:
    """The landmarks and answers of a network from the seeds that all cases have, ``[init_scale, share]``.

    Args:
        dataset: ``[learning_rate, seed, init_scale, time]``.
        level: exponent in nats per step above which a window counts as chaotic.
        factor: how far from η_c is near it, and from `level` at it.
        shares: training ends at these shares of the best test accuracy that any learning rate reaches in the mean.
        least_window: shortest window of an exponent, in steps.
        learns: a case counts if its best mean test accuracy is above this.
        equal: training times that differ by less than this, relatively, count as equal.

    Returns:
        What `landmarks_of` and `answers` return; `best`, the best mean test accuracy; `threshold`; `counts`; `again`.
    """
    accuracy = dataset["test_accuracy"]
    best = accuracy.mean("seed", skipna=False).max(["learning_rate", "time"]).drop_attrs()
    threshold = best * xr.DataArray(list(shares), {"share": list(shares)}, "share")
    settings = {"level": level, "factor": factor, "least_window": least_window, "equal": equal}
    found = _looked(dataset, threshold, **settings)
    counts = (best > learns).broadcast_like(found["found"])
    return found.assign(best=best, threshold=threshold, counts=counts, again=xr.zeros_like(counts))


def _looked(
    dataset: xr.Dataset,
    threshold: xr.DataArray,
    level: float,
    factor: float,
    least_window: int,
    equal: float,
    **_: Any,
) -> xr.Dataset:
    growth = stats.first_exponent(dataset["growth"])
    found = landmarks_of(dataset["test_accuracy"], growth, threshold, level, factor, least_window)
    return found.merge(answers(found, level, equal, factor))


def open_cases(cases: xr.Dataset) -> xr.DataArray:
    """Which cases count, have an onset, and leave an answer open."""
    unknown = [cases[name].isnull() for name in NUMBERS]
    return cases["counts"] & cases["found"] & (unknown[0] | unknown[1] | unknown[2])


def rates_again(cases: xr.Dataset) -> Float[np.ndarray, " rates"]:
    """The learning rates that open answers of one initialisation scale rest on, without a gap; none if none is open.

    From below the onset, the fastest rate and all that take less than `SLOW` times the least, to above them.
    """
    rates = cases["learning_rate"].values
    wanted = np.zeros(len(rates), bool)
    for share in np.flatnonzero(open_cases(cases).values):
        case = cases.isel(share=share)
        quick = case["mean_time"] <= SLOW * case["mean_time"].min()
        ends = np.concatenate([case[name].values for name in ("onset", "fastest")])
        inside = (rates >= np.nanmin(ends)) & (rates <= np.nanmax(ends))
        at = np.flatnonzero(quick.values | inside)
        wanted[max(0, at[0] - 1) : at[-1] + 2] = True
    at = np.flatnonzero(wanted)
    return rates[at[0] : at[-1] + 1] if len(at) else rates[:0]


def together(first: xr.Dataset, more: xr.Dataset) -> xr.Dataset:
    """The records of all seeds at the learning rates that both have."""
    rates = more["learning_rate"].values
    return xr.concat(
        [first.sel(learning_rate=rates, method="nearest").assign_coords(learning_rate=rates), more], "seed"
    )


def replaced(first: xr.Dataset, more: xr.Dataset) -> xr.Dataset:
    """The cases of one initialisation scale, with what all seeds say where the first left something open."""
    again = open_cases(first) & more["found"]
    out = first.assign(again=again)
    for name in SHARED:
        out[name] = more[name].where(again, first[name])
    for answer, numbers in NUMBERS.items():
        unknown = again & first[answer].isnull()
        for name in (answer, *numbers):
            out[name] = more[name].where(unknown, first[name])
    return out


def seeds_of(parts: xr.Dataset | Mapping[str, xr.Dataset]) -> tuple[int, int]:
    """How many seeds a network has in all cases, and where they were looked at again."""
    stores = stores_of(parts)
    more = [part.sizes["seed"] for name, part in stores.items() if name.startswith("more_")]
    first = stores["sweep"].sizes["seed"]
    return first, first + max(more, default=0)


def cost_of(jobs: Mapping[str, Any]) -> tuple[float, float]:
    """Gradient evaluations and seconds of the second looks, which the cost on the page leaves out."""
    more = [part for job in jobs.values() for part in stores_of(job).items()]
    known = [provenance_of(part) for name, part in more if name.startswith("more_")]
    seconds = sum(each["wall_seconds"] + each["compile_seconds"] for each in known)
    return sum(each["cost"]["steps"] for each in known), seconds
