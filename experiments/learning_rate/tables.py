"""The tables of the judgement, failures first."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from experiments import markdown
from experiments.learning_rate.trials import FINDER

SPREAD = 1.6
"""The factor to either side that `find_learning_rate` gives a training time at least."""

MISSED = "miss"


def median_and_range(values: Sequence[float] | np.ndarray) -> str:
    """Median and range of ratios over problems; with eight of them the range is the median's 99 % interval."""
    return f"{shown(np.median(values))} [{shown(np.min(values))}, {shown(np.max(values))}]"


def shown(ratio: float) -> str:
    """A ratio to two digits behind the point; a miss where it is infinite."""
    return f"{ratio:.2f}" if np.isfinite(ratio) else MISSED if ratio > 0 else "–"


def words(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Any]:
    """What fills the text beside `judge`."""
    rules = summary["rule"].values.astype(str)
    split = list(rules).index("cdat")
    return {
        **summary.attrs,
        "problems": summary.sizes["case"],
        "studies": summary.sizes["study"],
        "rates": summary.sizes["grid"],
        "left_out": _left_out(sorted(set(jobs) - set(summary["case"].values))),
        "overall": _overall(summary),
        "coverage": _coverage(summary),
        "yardstick": _yardstick(summary),
        "follower": _controller(summary),
        "onsets": _onsets(summary),
        **{half: _half(summary, half, rules[:split]) for half in ("judged", "development")},
        **{f"{half}_without": _half(summary, half, rules[split:]) for half in ("judged", "development")},
    }


def _left_out(names: Sequence[str]) -> str:
    return f"Left out, since their trials have not finished: {', '.join(names)}." if names else ""


def _of(summary: xr.Dataset, half: str) -> xr.Dataset:
    return summary.isel(case=np.flatnonzero(summary["half"] == half))


def _overall(summary: xr.Dataset) -> str:
    parts = {half: _of(summary, half) for half in ("judged", "development")}
    parts = {half: part for half, part in parts.items() if part.sizes["case"]}
    first = next(iter(parts.values()))
    order = sorted(
        first["rule"].values,
        key=lambda rule: (np.median(first["ratio"].sel(rule=rule)), first["ratio"].sel(rule=rule).mean()),
    )
    rows = []
    for rule in order:
        cells = [f"**{rule}**" if rule == FINDER else str(rule)]
        for part in parts.values():
            ratio = part["ratio"].sel(rule=rule).values
            missed = int(np.isinf(ratio).sum())
            cells += [shown(np.median(ratio)), shown(ratio.max()), f"{missed} of {len(ratio)}" if missed else ""]
        cost = (summary["cost"].sel(rule=rule).mean("study") / summary["oracle"]).values
        cells.append(f"{np.median(cost):.1f}" if cost.any() else "")
        rows.append(cells)
    header = [
        "rule",
        *[f"{half}: {what}" for half in parts for what in ("median", "worst", "missed")],
        "cost of picking",
    ]
    return markdown(header, rows, "l" + "r" * (len(header) - 1))


def _half(summary: xr.Dataset, half: str, rules: np.ndarray) -> str:
    part = _of(summary, half)
    order = np.argsort(-part["ratio"].sel(rule=FINDER).values, kind="stable")
    header = ["problem", "until", "best η", "steps", "one η", "others' η", *rules]
    rows = []
    for place in order:
        row = part.isel(case=int(place))
        ratios = [shown(float(row["ratio"].sel(rule=rule))) for rule in rules]
        fixed = shown(float(row["best_time"] / row["oracle"]))
        rows.append(
            [
                str(row["label"].item()),
                str(row["target"].item()),
                f"{float(row['best_eta']):.3g}",
                f"{float(row['oracle']):.0f}",
                fixed,
                shown(float(row["ratio_others"])),
                *ratios,
            ]
        )
    return markdown(header, rows, "ll" + "r" * (len(header) - 2))


def _coverage(summary: xr.Dataset) -> str:
    """How often the search's intervals hold what they are to hold."""
    low, high = (summary["interval"].isel(end=k) for k in (0, 1))
    inside = (summary["best_eta"] >= low) & (summary["best_eta"] <= high)
    near = (summary["best_eta"] >= low / 1.6) & (summary["best_eta"] <= high * 1.6)
    took, estimate = summary["time"].sel(rule=FINDER), summary["expected"].sel(bound="estimate")
    held = abs(xr.ufuncs.log(took / estimate)) <= np.log(SPREAD)
    return (
        f"Over the {inside.size} searches, the interval of the learning rate holds the best single η of the grid in "
        f"{int(inside.sum())}, and misses it by no more than a factor of 1.6 in {int((near & ~inside).sum())} more. A "
        f"training time was expected in {int(estimate.notnull().sum())}; what training then took lay within a factor "
        f"of {SPREAD:g} of it, the least width of that interval, in {int(held.sum())}."
    )


def _yardstick(summary: xr.Dataset) -> str:
    """How much of the search's ratio is the choice of η, and how much the difference between studies."""
    ours, others = summary["ratio"].sel(rule=FINDER).values, summary["ratio_others"].values
    hindsight = (summary["best_time"] / summary["oracle"]).values
    price = (summary.sizes["study"] - 1) / summary.attrs["cost_aim"]
    close = int((ours <= 1.1 * others).sum())
    chance = np.median(others) > 1 + (np.median(ours) - 1) / 2
    lost = "the difference between one training and the next" if chance else "the choice of the learning rate"
    return (
        f"Over all {len(ours)} problems the best single η takes {median_and_range(hindsight)} times the best of the "
        f"grid, by hindsight alone; the η that was best in the other studies {median_and_range(others)}, at "
        f"{price:.0f} times the price of the search; the search itself {median_and_range(ours)}, and at most 10 % "
        f"longer than the η of the other studies in {close}. By the medians, more than half of the loss lies in {lost}."
    )


def _controller(summary: xr.Dataset) -> str:
    """What the controller at the edge is worth, in a sentence."""
    ratio, search = (summary["ratio"].sel(rule=rule).values for rule in ("edge_follower", FINDER))
    missed, faster = int(np.isinf(ratio).sum()), int((ratio < search).sum())
    reached = ratio[np.isfinite(ratio)]
    took = f"; where it got there it took {median_and_range(reached)} times as long as the best" if len(reached) else ""
    verdict = "It does not pay, so the package offers none." if np.median(ratio) >= np.median(search) else "It pays."
    return (
        f"Over all {len(ratio)} problems it missed the target in {missed}{took}, and it was faster than training at "
        f"the learning rate of the search in {faster}. {verdict}"
    )


def _onsets(summary: xr.Dataset) -> str:
    """How far the best learning rate is from the onset that the search reports."""
    onset = summary["onset"].sel(bound="estimate")
    known = onset.notnull().sum("study")
    with_onset = (known > 0).values
    if not with_onset.any():
        return "An onset η_c was found in no problem"
    ratio = (summary["best_eta"] / onset.median("study")).values[with_onset]
    return (
        f"An onset η_c was found in {int(known.sum())} of {onset.size} searches, in {len(ratio)} problems; the best "
        f"single η of the grid is {np.median(ratio):.2g} [{ratio.min():.2g}, {ratio.max():.2g}] times the median one"
    )
