"""Rules for the learning rate against the best of a fine grid, by the time to a target over problems."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from chaosjax import provenance_of
from experiments import Experiment, Finding, beyond, claim
from experiments.learning_rate.range_test import STEPS, SUGGESTIONS
from experiments.learning_rate.rivals import tuning_free
from experiments.learning_rate.tables import median_and_range, words
from experiments.learning_rate.trials import FINDER
from experiments.learning_rate.trials_figures import figures_of

HALVES = ("judged", "development")
BY_RULE = (FINDER, *SUGGESTIONS, "1/sharpness", "2/sharpness", "default")
WITHOUT = ("cdat", "edge_follower", *tuning_free(lambda **_: None))
RULES = (*BY_RULE, *WITHOUT)


def summarise(
    jobs: Mapping[str, Mapping[str, xr.Dataset]], median_aim: float, worst_aim: float, cost_aim: float
) -> xr.Dataset:
    """Times to the target of every rule, problem and study, and of the grid.

    AlgoPerf's rule: a problem's time is the median over studies, of the grid's the least over learning rates within
    each study; a miss counts as infinite. `ratio` is against that, `ratio_fixed` against the best single learning rate
    of the grid, the one of the least median over studies. `ratio_others` is that of training each study at the learning
    rate of the grid that took the least mean time in the other studies: what other starts say of one at most.

    Args:
        jobs: by problem, the grid's records and those beside it.
        median_aim, worst_aim: of the search's ratio over problems.
        cost_aim: share of the grid's gradient evaluations in one study.

    Source: Dahl et al., arXiv:2306.07179.
    """
    rows = {name: _problem(parts) for name, parts in jobs.items() if _is_whole(parts)}
    if not rows:
        raise ValueError("no problem has all its trials; run the same command again to go on")
    names = xr.DataArray(np.array(list(rows), dtype=object), dims="case", name="case")
    return xr.concat(list(rows.values()), names, coords="minimal", compat="override")


def _is_whole(parts: Any) -> bool:
    """Whether all trials beside the grid have finished."""
    if isinstance(parts, xr.Dataset):
        return False
    needed = {"sharpness", *WITHOUT, *(f"study_{study}" for study in parts["sweep"]["seed"].values)}
    return all(name in parts and "finished" in parts[name].attrs for name in needed)


def times_to(target: Mapping[str, Any], score: xr.DataArray) -> xr.DataArray:
    """First recorded time at the target, infinite where there is none."""
    level = np.asarray(target["value"], score.dtype)
    hit = score <= level if "loss" in target["metric"] else score >= level
    return score["time"].where(hit).min("time").fillna(np.inf)


def _problem(parts: Mapping[str, xr.Dataset]) -> xr.Dataset:
    grid = parts["sweep"]
    config = provenance_of(grid)["config"]
    target, studies = config["target"], grid["seed"].values
    times = times_to(target, grid["score"]).transpose("learning_rate", "seed")
    fixed = times.median("seed")
    best = int(fixed.argmin("learning_rate"))
    shape = (len(RULES), len(studies))
    eta, time, cost = np.full(shape, np.nan), np.full(shape, np.inf), np.zeros(shape)
    said = []
    for k, study in enumerate(studies):
        records = parts[f"study_{study}"]
        known = provenance_of(records)["config"]
        said.append(known)
        own = times_to(target, records["score"]).isel(seed=0)
        for rule, rate in known["picked"].items():
            eta[RULES.index(rule), k] = rate
            time[RULES.index(rule), k] = float(own.sel(learning_rate=rate, method="nearest"))
        cost[0, k] = known["cost"]
    for rule in WITHOUT:
        time[RULES.index(rule)] = times_to(target, parts[rule]["score"]).values
    cost[[RULES.index(rule) for rule in SUGGESTIONS]] = STEPS
    products = provenance_of(parts["sharpness"])["cost"]["products"] / len(studies)
    cost[[RULES.index(rule) for rule in ("1/sharpness", "2/sharpness")]] = 2 * products
    oracle = times.min("learning_rate")
    median, reached = np.median(time, axis=1), float(oracle.median())
    with np.errstate(invalid="ignore"):  # where nothing reaches the target, a ratio is no number
        ratio, ratio_fixed = median / reached, median / float(fixed[best])
        ratio_others = np.median(_as_the_others(times.values)) / reached
    return xr.Dataset(
        {
            "eta": (("rule", "study"), eta),
            "time": (("rule", "study"), time),
            "cost": (("rule", "study"), cost),
            "ratio": ("rule", ratio),
            "ratio_fixed": ("rule", ratio_fixed),
            "ratio_others": ratio_others,
            "grid_times": (("grid", "study"), times.values),
            "grid_eta": ("grid", times["learning_rate"].values),
            "oracle": reached,
            "best_eta": float(times["learning_rate"][best]),
            "best_time": float(fixed[best]),
            "horizon": float(grid["time"][-1]),
            "interval": (("study", "end"), [known["interval"] for known in said]),
            "expected": (("study", "bound"), [known["expected"] for known in said]),
            "onset": (("study", "bound"), [known["onset"] for known in said]),
            "half": _text(config["half"]),
            "label": _text(config["label"]),
            "target": _text(f"{target['metric'].replace('_', ' ')} {target['value']:g}"),
        },
        coords={
            "rule": np.array(RULES, dtype=object),
            "study": studies,
            "bound": np.array(["estimate", "low", "high"], dtype=object),
        },
    )


def _as_the_others(times: Float[np.ndarray, "grid studies"]) -> Float[np.ndarray, " studies"]:
    """Each study's time at the learning rate of the least mean time over the other studies."""
    alone = np.eye(times.shape[1], dtype=bool)
    mean = np.stack([times[:, ~own].mean(axis=1) for own in alone], axis=1)
    return np.take_along_axis(times, mean.argmin(axis=0)[None], axis=0)[0]


def _text(words: str) -> xr.DataArray:
    """A string of no fixed length: others have no format in Zarr that all readers know."""
    return xr.DataArray(np.array(words, dtype=object))


def findings(summary: xr.Dataset, jobs: Mapping[str, Any]) -> list[Finding]:
    aims, found = summary.attrs, []
    for half in HALVES:
        part = summary.isel(case=np.flatnonzero(summary["half"] == half))
        if not part.sizes["case"]:
            continue
        ours = part.sel(rule=FINDER)
        ratio = ours["ratio"].values
        share = (ours["cost"].mean("study") / (part.sizes["grid"] * part["horizon"])).values
        where = f"{half} half, {part.sizes['case']} problem{'s' * (part.sizes['case'] > 1)}"
        said = median_and_range(ratio)
        found += [
            claim(
                where,
                "median time to target, over the best of the grid",
                f"≤ {aims['median_aim']:g}",
                said,
                bool(np.median(ratio) <= aims["median_aim"]),
            ),
            claim(
                where,
                "worst problem",
                f"≤ {aims['worst_aim']:g}",
                f"{ratio.max():.2f}",
                bool(ratio.max() <= aims["worst_aim"]),
            ),
            claim(
                where,
                "cost of the search, share of the grid's",
                f"≤ {aims['cost_aim']:.0%}",
                f"{share.max():.1%}",
                bool(share.max() <= aims["cost_aim"]),
            ),
            beyond(
                where, "the same over the best single η of the grid", median_and_range(ours["ratio_fixed"].values), ""
            ),
            beyond(
                where,
                "that single η, over the best of the grid",
                median_and_range((part["best_time"] / part["oracle"]).values),
                "",
            ),
            beyond(
                where,
                "the η that was best in the other studies, over the best of the grid",
                median_and_range(part["ratio_others"].values),
                "",
            ),
        ]
        others = {rule: part.sel(rule=rule)["ratio"].values for rule in RULES if rule != FINDER}
        best = min(others, key=lambda rule: (np.median(others[rule]), others[rule].max()))
        found.append(
            claim(
                where,
                "faster than every other rule, by the median",
                "yes",
                f"next: {best}, {median_and_range(others[best])}",
                bool(np.median(ratio) < np.median(others[best])),
            )
        )
    return found


report = Experiment(summarise, figures_of, findings, words)
