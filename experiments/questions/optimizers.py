"""Is the chaotic transient gradient descent's alone? Copies and training time over η, optimizer by optimizer."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import chaosjax as cj
from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown
from experiments.questions.landmarks import answers, landmarks_of
from experiments.questions.optimizers_figures import figures

JUMPS = ("lion", "lion_coarse")
"""Optimizers whose step jumps: how far their copies part depends on how far apart they are at first."""

ANSWERS = {1.0: "yes", 0.0: "no", 2.0: "equal"}


def edges(dataset: xr.Dataset, beside: Any, system: cj.System, seeds: int, every: int, until: int) -> None:
    """Measure the preconditioned sharpness and the optimizer's threshold early in training, at every learning rate.

    Args:
        seeds: number of runs; none: nothing is measured.
        dataset: the records of the job's sweep.
        beside: ``(name, system, probes, axes, **options) -> records``, a sweep into a store beside the job's own.
        every: steps between two measurements.
        until: the last of them.
    """
    if not seeds:
        return
    probes = {"sharpness": cj.probes.preconditioned_sharpness(tolerance=1e-2, fallback=True)}
    axes = {"learning_rate": dataset["learning_rate"].values, "seed": np.arange(seeds)}
    beside("edge", system, probes, axes, steps=until, stride=every)


def summarise(
    datasets: Mapping[str, Any],
    level: float,
    factor: float,
    equal: float,
    least_window: int,
    trains: float,
) -> xr.Dataset:
    """Find onset and fastest η of every optimizer and problem, along ``case``.

    Args:
        level: exponent in nats per step above which a window counts as chaotic.
        factor: how far from η_c is near it.
        equal: training times that differ by less than this, relatively, count as equal.
        least_window: shortest window of an exponent, in steps.
        trains: the share of seeds that must reach the target for an η to train.

    Returns:
        What `landmarks_of` and `answers` return, per learning rate along ``rate``; `edge`, the η whose preconditioned
        sharpness meets the optimizer's own threshold (NaN: none known); `largest`, the largest η that trains; and
        `learns_in_chaos`: 1 where an η trains with the whole interval of λ above `level`, 0 where every η that trains
        has it below, else NaN.
    """
    order = _in_order(datasets)
    stores = {name: {"sweep": part} if isinstance(part, xr.Dataset) else part for name, part in order.items()}
    rows = [_case(parts, level, factor, least_window, trains) for parts in stores.values()]
    most = max(row.sizes["rate"] for row in rows)
    rows = [row.pad(rate=(0, most - row.sizes["rate"])) for row in rows]  # NaN where another grid has more
    names = xr.DataArray(np.array(list(stores), dtype=object), dims="case", name="case")
    summary = xr.concat(rows, names, coords="minimal", compat="override")
    configs = [provenance_of(parts["sweep"])["config"] for parts in stores.values()]
    summary = summary.assign_coords(
        data=("case", np.array([config["data"] for config in configs], dtype=object)),
        rule=("case", np.array([config["rule"] for config in configs], dtype=object)),
        label=("case", np.array([config["label"] for config in configs], dtype=object)),
    )
    networks = {config["data"]: config["networks"][config["data"]]["label"] for config in configs}
    targets = {config["data"]: config["target"] for config in configs}
    attrs = {"networks": networks, "targets": targets}
    return summary.merge(answers(summary, level, equal, factor)).assign_attrs(attrs)


def _in_order(datasets: Mapping[str, Any]) -> dict[str, Any]:
    """By problem and optimizer, as the experiment's yaml lists them."""

    def place(name: str) -> tuple[int, int]:
        part = datasets[name]
        config = provenance_of(part if isinstance(part, xr.Dataset) else part["sweep"])["config"]
        return list(config["networks"]).index(config["data"]), list(config["rules"]).index(config["rule"])

    return {name: datasets[name] for name in sorted(datasets, key=place)}


def _case(parts: Mapping[str, xr.Dataset], level: float, factor: float, least_window: int, trains: float) -> xr.Dataset:
    dataset = parts["sweep"]
    target = xr.DataArray(float(provenance_of(dataset)["config"]["target"]))
    found = landmarks_of(dataset["test_accuracy"], growth_of(dataset), target, level, factor, least_window)
    grid, arrived = found["learning_rate"], found["arrived"] >= trains
    low, high = stats.bounds(found["exponents"])[1:]
    yes, no = (arrived & (low > level)).any(), (~arrived | (high <= level)).all() & arrived.any()
    found["learns_in_chaos"] = xr.where(yes, 1.0, xr.where(no, 0.0, np.nan))
    found["largest"] = grid.where(found["arrived"] >= 0.5).max()
    found["edge"] = edge_of(parts["edge"]) if "edge" in parts else xr.DataArray(np.nan)
    shown = found.drop_vars("learning_rate").rename(learning_rate="rate")
    return shown.assign(eta=("rate", grid.values)).reset_coords(drop=True)


def growth_of(dataset: xr.Dataset) -> xr.DataArray:
    """Nats by which the copies parted over each step, ``[learning_rate, seed, time]``; 0 at first."""
    distance = stats.mean_over_copies(dataset["distance_parameters"])
    logarithm = xr.ufuncs.log(distance.where(distance > 0))
    return (logarithm - logarithm.shift(time=1)).fillna(0.0).where(logarithm.notnull())


def edge_of(records: xr.Dataset) -> xr.DataArray:
    """The least η at which the sharpness rises through the threshold; NaN if none, or if the first does.

    Of each η the greatest ratio of the two counts, in the geometric mean over seeds, at any record but the first:
    before a step there is no preconditioner.
    """
    later = records.isel(time=slice(1, None))
    ratio = later["sharpness"].isel(eigenvalue=0, drop=True) / later["sharpness_threshold"]
    greatest = xr.ufuncs.log(ratio.where(ratio > 0)).mean("seed").max("time")
    first = (greatest > 0).argmax("learning_rate")
    at = stats.crossing(greatest, first, level=0.0)
    return at.where(np.isfinite(at) & (first > 0)).reset_coords(drop=True)


def findings(summary: xr.Dataset, datasets: Mapping[str, Any]) -> list[Finding]:
    level, networks, found = summary.attrs["level"], summary.attrs["networks"], []
    for case in summary["case"].values:
        row = summary.sel(case=case)
        ours = f"{answer(row['learns_in_chaos'])}; fastest η over η_c {stats.format_interval(row['ratio'])}, λ there "
        ours += f"{stats.format_interval(row['exponent'])}, speed-up {stats.format_interval(row['speed_up'])}"
        quantity = f"{row['label'].item()}: trains with λ > {level:g}"
        found.append(beyond(networks[row["data"].item()].partition(",")[0], quantity, ours, "open in the studies"))
    others = summary.isel(case=np.flatnonzero(~np.isin(summary["rule"].values.astype(str), ["sgd", *JUMPS])))
    yes, no = (int((others["learns_in_chaos"] == value).sum()) for value in (1, 0))
    ours = f"{yes} of {others.sizes['case']} others (optimizer and problem) train with λ > {level:g}, {no} do not"
    holds = True if yes else False if no == others.sizes["case"] else None
    found.append(claim("all", "the transient is not gradient descent's alone", "asked by the study", ours, holds))
    return found


def answer(value: xr.DataArray) -> str:
    return ANSWERS.get(float(value), "undecided")


def words(summary: xr.Dataset, datasets: Mapping[str, Any]) -> dict[str, Any]:
    rows = []
    for case in summary["case"].values:
        row = summary.sel(case=case)
        names = ("onset", "fastest", "training_time", "exponent", "speed_up", "price")
        numbers = [stats.format_interval(row[name]) for name in names]
        numbers[0] = f"≤ {numbers[0]}" if bool(row["censored"]) else numbers[0]
        verdicts = [answer(row[name]) for name in ("learns_in_chaos", "near", "gain")]
        own = f"{float(row['edge']):.3g}" if np.isfinite(float(row["edge"])) else "–"
        problem = summary.attrs["networks"][row["data"].item()].partition(",")[0]
        rows.append([problem, row["label"].item(), *numbers, own, f"{float(row['largest']):.3g}", *verdicts])
    header = (
        "problem", "optimizer", "η_c", "fastest η", "steps", "λ there", "speed-up", "time at η_c over the least",
        "own edge", "largest η that trains", "trains in chaos", "near η_c", "chaos gains",
    )  # fmt: skip
    listed = {word: [] for word in ("yes", "no", "undecided")}
    for case in summary["case"].values:
        row = summary.sel(case=case)
        listed[answer(row["learns_in_chaos"])].append(f"{row['label'].item()} ({row['data'].item()})")
    until = [int(part["edge"]["time"][-1]) for part in datasets.values() if "edge" in part]
    least, most = int(summary["window"].min()), int(summary["window"].max())
    return {
        **summary.attrs,
        "windows": f"{least} to {most}",
        "least_growth": f"{np.exp(summary.attrs['level'] * least):.1f}",
        **_lion(summary),
        "until": max(until, default=0),
        **{word: "; ".join(names) or "none" for word, names in listed.items()},
        "problems": " and ".join(summary.attrs["networks"].values()),
        "goals": ", ".join(f"{target:g} ({data})" for data, target in summary.attrs["targets"].items()),
        "table": markdown(header, rows, "l" * len(header)),
    }


def _lion(summary: xr.Dataset) -> dict[str, str]:
    """What copies of Lion do at its fastest η, close together and far apart."""
    said = {"near": "1e-10", "far": "1e-3", "data_in_words": " and ".join(summary.attrs["networks"])}
    for key, rule in (("near_lambda", "lion"), ("far_lambda", "lion_coarse")):
        rows = summary.isel(case=np.flatnonzero(summary["rule"].values == rule))
        at = rows["mean_time"].fillna(np.inf).argmin("rate")
        there = stats.bounds(rows["exponents"])[0].isel(rate=at).values
        said[key] = " and ".join(f"{value:.2g}" for value in there) or "not measured"
    return said


report = Experiment(summarise, figures, findings, words)
