"""Runs through the edge of stability: when the sharpness reaches its threshold, and where it stays from there on."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from chaosjax import provenance_of, stats
from experiments import Finding, beyond, claim, number


def ratio_of(dataset: xr.Dataset) -> xr.DataArray:
    """Sharpness over its threshold, ``[learning_rate, seed, time]``; NaN where it is not converged."""
    first = {"eigenvalue": 0}
    ratio = dataset["sharpness"].isel(first) / dataset["sharpness_threshold"]
    return ratio.where(dataset["sharpness_converged"].isel(first).astype(bool))


def through_the_edge(dataset: xr.Dataset, enough: int) -> xr.Dataset:
    """What each run does: ``[learning_rate, seed]``.

    Args:
        dataset: a sweep with the records loss and sharpness (preconditioned), of one optimizer.
        enough: records that a run must have beyond the crossing for its `hover` to be known.

    Returns:
        `start`, the ratio of sharpness and threshold at t = 0; `crossing`, the first record at which it has risen from
        below 1 (steps; NaN: none); of the records from there `hover`, their median, and `low` and `high`, the tenth
        and ninetieth percentile; `rises`, the share of them at which the loss is above the one before; `falls`, whether
        the mean loss of the last fifth of the time from there is below that of the first; `lost`, the share of records
        that are not converged though the run goes on.
    """
    ratio, loss, time = ratio_of(dataset), dataset["loss"], dataset["time"]
    beyond = (ratio >= 1) & (ratio.shift(time=1) < 1)
    crossing = time.isel(time=beyond.argmax("time")).drop_vars("time").where(beyond.any("time"))
    after = (time >= crossing) & ratio.notnull()
    known = after.sum("time") >= enough
    inside = ratio.where(after).where(known, 0.0)  # any number: what is not known is left out below
    low, hover, high = (inside.quantile(q, "time").drop_vars("quantile").where(known) for q in (0.1, 0.5, 0.9))
    rises = (loss.diff("time") > 0).where(after.isel(time=slice(1, None)))
    fifth = (time[-1].drop_vars("time") - crossing) / 5
    early, late = (
        loss.where(part).mean("time")
        for part in (after & (time <= crossing + fifth), after & (time >= time[-1] - fifth))
    )
    return xr.Dataset(
        {
            "start": ratio.isel(time=0, drop=True),
            "crossing": crossing,
            "hover": hover,
            "low": low,
            "high": high,
            "rises": rises.mean("time").where(known),
            "falls": (late < early).where(known),
            "lost": (ratio.isnull() & loss.notnull()).mean("time"),
        }
    )


def over_cases(datasets: Mapping[str, xr.Dataset], enough: int) -> xr.Dataset:
    """Reduce every run of every case, along ``case``; learning rates are numbered, since cases have their own.

    Args:
        enough: records beyond the crossing, for a run to count as hovering.

    Returns:
        what `through_the_edge` does of each case.
    """
    rows = [
        through_the_edge(dataset, enough).assign_coords(learning_rate=range(dataset.sizes["learning_rate"]))
        for dataset in datasets.values()
    ]
    return xr.concat(rows, xr.DataArray(np.array(list(datasets), dtype=object), dims="case", name="case"))


def findings_over(datasets: Mapping[str, xr.Dataset], summary: xr.Dataset, name: str, bound: str) -> list[Finding]:
    """What of the published picture each case bears out: `findings_of` one after the other."""
    rows = [(label, summary.sel(case=case, drop=True)) for case, label in labels_of(datasets).items()]
    return [finding for label, row in rows for finding in findings_of(label, row, name, bound)]


def findings_of(label: str, row: xr.Dataset, name: str, bound: str) -> list[Finding]:
    """What of the published picture a case bears out.

    Args:
        label: of the case.
        row: what `through_the_edge` returns.
        name: of the quantity that is held against its threshold.
        bound: the threshold, in words.
    """
    runs = int(row["hover"].count())
    all_runs = row.stack(run=["learning_rate", "seed"])
    below = all_runs.isel(run=np.flatnonzero(all_runs["start"].values < 1))
    found = []
    if below.sizes["run"]:
        share = stats.fraction(below["crossing"].notnull(), "run")
        count = f"{int(below['crossing'].count())} of {below.sizes['run']} runs"
        quantity = f"{name} rises from below to {bound}: share of the runs that start below"
        part = float(stats.bounds(share)[0])
        note = "" if part == 1 else f"{count}; the others end before"
        found.append(claim(label, quantity, "rises", share, part > 0.5, note))
    hover = stats.mean_interval(row["hover"].mean("learning_rate"))
    found.append(number(label, f"{name} over {bound} from there on, median over time", 1.0, hover))
    known = all_runs.isel(run=np.flatnonzero(all_runs["hover"].notnull().values))
    if runs:
        spread = f"{float(row['low'].mean()):.2f} to {float(row['high'].mean()):.2f}"
        falls = float(known["falls"].mean())
        ours = f"falls in {falls:.0%} of {runs} runs; rises at {float(row['rises'].mean()):.0%} of the records"
        holds = falls > 0.5 and float(row["rises"].mean()) > 0
        note = "" if falls == 1 else "not in all runs"
        found.append(claim(label, "the loss still falls, but not monotonically", "yes", ours, holds, note))
        found.append(
            beyond(label, "10th to 90th percentile of that ratio over time", spread, "no published counterpart")
        )
    return found


def labels_of(datasets: Mapping[str, xr.Dataset]) -> dict[str, str]:
    """The label of each job, from its configuration."""
    return {name: provenance_of(dataset)["config"].get("label", name) for name, dataset in datasets.items()}


def draw_ratio(ax: Axes, dataset: xr.Dataset, colours: Sequence, label: str = "η = {:g}", seed: int = 0) -> None:
    """The ratio of one seed over time, a curve for each learning rate, and the edge."""
    ratio = ratio_of(dataset).isel(seed=seed)
    for eta, colour in zip(ratio["learning_rate"].values, colours, strict=True):
        ax.plot(ratio["time"], ratio.sel(learning_rate=eta), color=colour, linewidth=1, label=label.format(eta))
    ax.axhline(1, color="black", linewidth=0.8, linestyle="--")
