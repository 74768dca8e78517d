"""Figures 9-12: what the quiet and the random-like stretches at η = 5 are."""

from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import provenance_of, series, stats
from experiments import Experiment, Finding, Records, beyond, claim
from experiments.danovski import reduced
from experiments.danovski.beside import compared, spectra
from experiments.danovski.phases_figure import figure
from experiments.danovski.units import FROZEN, SHORTEST, phases


def summarise(records: Records, eta: float, level: float) -> xr.Dataset:
    """List all phases with what the reduced map does from each; nothing if they were too short for it.

    Args:
        records: the network's, and the sweeps of `beside.sweeps`.
        eta: the study's learning rate; the others of the sweep test what the reduced map says of them.
        level: exponent in nats per step above which an orbit counts as chaotic: the study's.
    """
    if isinstance(records, xr.Dataset):
        return xr.Dataset()
    return compared(records, phases(records["sweep"]), level)


def findings(summary: xr.Dataset, records: Records) -> list[Finding]:
    if not summary.sizes:
        none = f"no phase of {SHORTEST} steps, or none at the first snapshot"
        what = f"stretches at η = {summary.attrs['eta']:g}"
        return [claim("9-12", what, "intermittent", none, None, "too short a run")]
    return conclude(measure(summary, records))


def figures(summary: xr.Dataset, records: Records) -> dict[str, Figure]:
    if not summary.sizes:
        return {}
    eta, diagram = summary.attrs["eta"], reduced.diagram(records["diagram"])
    return {"phases": figure(records["sweep"], summary, spectra(records, eta), diagram, eta)}


def words(summary: xr.Dataset, records: Records) -> dict[str, Any] | None:
    return measure(summary, records) if summary.sizes else None


def mean(values: np.ndarray, low: float = -np.inf, high: float = np.inf) -> str:
    """Mean and interval over seeds, cut at what the quantity can be."""
    if not np.size(values):
        return "none"
    return stats.format_interval(stats.mean_interval(xr.DataArray(values, dims="seed")).clip(low, high))


def by_seed(values: np.ndarray, runs: xr.Dataset, chosen: np.ndarray) -> str:
    """Mean over the chosen phases of each seed, then over seeds."""
    cells = runs["cell"].values
    return mean(np.array([values[chosen & (cells == cell)].mean() for cell in np.unique(cells[chosen])]))


def measure(runs: xr.Dataset, records: Records) -> dict[str, Any]:
    """Every number of the table and the text."""
    dataset, eta, level = records["sweep"], runs.attrs["eta"], runs.attrs["level"]
    cells, ours = dataset.sel(learning_rate=eta), runs.isel(phase=runs["eta"].values == eta)
    kind = np.where(ours["chaotic"], "chaos", np.where(ours["period"] == 1, "fixed", "cycle"))
    cycles, diagram = ours.isel(phase=kind == "cycle"), reduced.diagram(records["diagram"])
    slow = {int(m): float(-1 / group["limit"].isel(exponent=0).max()) for m, group in cycles.groupby("on")}
    rates = diagram["eta_eff"].values[(diagram > level).any("start")]
    at_10 = diagram.sel(eta_eff=2 * eta, method="nearest") > level
    return {
        "eta": eta,
        "etas": ", ".join(f"{eta:g}" for eta in dataset["learning_rate"].values),
        "frozen": FROZEN,
        "neutral": dataset.sizes["coordinate"] - 2,
        "critical": reduced.critical(np.array(provenance_of(records["beside"])["config"]["frequencies"])),
        "low": rates.min() if rates.size else np.nan,
        "high": rates.max() if rates.size else np.nan,
        "end": float(diagram["eta_eff"].max()),
        "share_10": f"{float(at_10.mean()):.0%}",
        "periods": ", ".join(f"{p:g}" for p in np.unique(cycles["period"])),
        "slow": ", ".join(f"m = {m}: {t:.3g}" for m, t in slow.items()),
        "locking": f"{max(slow.values(), default=np.nan):,.0f}",
        "on_chaotic": ", ".join(map(str, np.unique(ours["on"].values[kind == "chaos"]))) or "none",
        "one_step": float(ours["one_step"].median()),
        "loss_error": float(cycles["loss_error"].median()),
        **_time(cells, ours, kind),
        **_exponents(runs, eta, level),
        **_at_rest(spectra(records, eta), eta),
        **_lifetimes(dataset, runs),
    }


def _time(cells: xr.Dataset, ours: xr.Dataset, kind: np.ndarray) -> dict[str, Any]:
    """What part of the time is spent how."""
    constant = (cells["units_exposure"] < FROZEN).all("unit")
    moving = (cells["units_exposure"] >= FROZEN).sum("unit").where(~constant)
    seeds, steps = cells.sizes["seed"], int(cells["time"][-1])
    time = {
        name: np.bincount(ours["cell"], ours["steps"] * (kind == name), seeds) / steps
        for name in ("fixed", "cycle", "chaos")
    }
    return {
        "time": {name: mean(values, 0, 1) for name, values in time.items()},
        "rest": mean(1 - np.sum(list(time.values()), axis=0), 0, 1),
        "both": all(values.any() for values in time.values()),
        "constant": mean(constant.mean("time").values, 0, 1),
        "moving": mean(moving.mean("time").values),
        "accuracy": float(cells["accuracy"].where(constant).max()),
        "outside": outside_phases(cells, ours),
    }


def _exponents(runs: xr.Dataset, eta: float, level: float) -> dict[str, Any]:
    """The network's leading exponents in the phases, beside those of the reduced map."""
    full, two = (runs[name].isel(exponent=0).values for name in ("exponents", "reduced_exponents"))
    chaos, here = runs["chaotic"].values, runs["eta"].values == eta
    return {
        "full": by_seed(full, runs, chaos & here),
        "two": by_seed(two, runs, chaos & here),
        "difference": by_seed(full - two, runs, chaos),
        "chaotic": int((chaos & here).sum()),
        "agree": int(((full > level) == chaos).sum()),
        "quiet": float(np.median(np.abs(full[~chaos & here]))),
    }


def _at_rest(beside: xr.Dataset, eta: float) -> dict[str, Any]:
    """The network beside the reduced map, step by step from the same states."""
    leading = beside["reduced"].isel(exponent=0).values
    at_rest, chaotic = beside.isel(cell=leading < 0), beside.isel(cell=leading > 0)
    parted = (np.abs((chaotic["loss"] - chaotic["reduced_loss"]).values) > 0.1).argmax(-1)
    cycling = at_rest["loss"].isel(cell=at_rest["eta_eff"].values > eta)
    own_period = partial(series.period, max_period=24)
    repeats = series.apply(own_period, cycling)["value"].values if cycling.size else np.empty(0)
    return {
        "parted": mean(parted),
        "spectrum": float(np.median(np.abs((at_rest["leading"] - at_rest["reduced"]).values))),
        "repeats": f"{(repeats == 3).sum()} of {repeats.size}",
        "spectra": at_rest.sizes["cell"],
        "rest_exponents": float(beside["rest"].max()),
        "at_1": float(beside["at_1"].median()),
        "at_0": float(beside["at_0"].max()),
    }


def _lifetimes(dataset: xr.Dataset, runs: xr.Dataset) -> dict[str, Any]:
    """How long phases lasted against what their beginnings told."""
    available = (dataset.sizes["time"] - 1 - runs["first"].values) * int(dataset["time"][1])
    ended, expected, steps = (runs[name].values for name in ("ended", "lifetime", "steps"))
    ratio = np.abs(np.log2(expected[ended] / steps[ended]))
    return {
        "all": runs.sizes["phase"],
        "ended": int(ended.sum()),
        "still": int((~ended).sum()),
        "on_right": int((expected[~ended] > available[~ended]).sum()),
        "outlived": int((steps > 1.05 * expected).sum()),
        "within": int((ratio < 1).sum()),
    }


def outside_phases(cells: xr.Dataset, runs: xr.Dataset) -> str:
    """The leading exponent of the network over all steps that are in no phase, by seed."""
    outside = np.ones((cells.sizes["seed"], cells.sizes["time"]), bool)
    outside[:, 0] = False
    for cell, first, last in zip(*(runs[name].values for name in ("cell", "first", "last")), strict=True):
        outside[cell, first + 1 : last + 1] = False
    growth = stats.first_exponent(cells["growth"]).transpose("seed", "time").values / float(cells["time"][1])
    return mean(np.array([g[o].mean() for g, o in zip(growth, outside, strict=True) if o.any()]))


def conclude(n: dict[str, Any]) -> list[Finding]:
    time = n["time"]
    shares = f"cycles {time['cycle']}, chaos {time['chaos']}, fixed point {time['fixed']}, none of these {n['rest']}"
    quiet = f"the quiet ones are cycles of period {n['periods']}, not quasi-periodic"
    weights = f"s.d. {n['at_1']:.2g} where the unit is at 1 (median), at most {n['at_0']:.2g} where it is at 0"
    more = {
        "time in which all hidden units are constant": n["constant"],
        "units that are not constant, of 10, in the rest of the time": n["moving"],
        "largest training accuracy while they are": f"{n['accuracy']:.3f}",
        "error of one step of the reduced map (logits), median": f"{n['one_step']:.1g}",
        "largest error of its loss over 100 steps, cycles, median": f"{n['loss_error']:.1g} nats",
        "steps until its loss is off by 0.1, chaos": n["parted"],
        f"λ of the net, {n['chaotic']} chaotic phases (units at 1: {n['on_chaotic']})": n["full"],
        "λ of the reduced map, the same phases": n["two"],
        "λ of the net less that of the reduced map, chaotic phases of all η": n["difference"],
        "|λ| of the net in the other phases, median": f"{n['quiet']:.1g}",
        "period 3 in the net's own loss, 200 steps on cycles, seeds": n["repeats"],
        f"the two exponents off 0, net less reduced map, {n['spectra']} phases at rest, median": f"{n['spectrum']:.1g}",
        f"the other {n['neutral']} exponents of the net, at most": f"{n['rest_exponents']:.1g}",
        "η_eff with chaos in the reduced map": f"{n['low']:.2f} to {n['high']:.2f}",
        f"starts that end in chaos at η_eff = {2 * n['eta']:g}": n["share_10"],
        "steps to lock to a cycle by 1/e, slowest by units at 1": n["slow"],
        "phases told right, chaotic or not, all η": f"{n['agree']} of {n['all']}",
        "λ of the net in the rest of the time": n["outside"],
        "phases that lasted longer than expected, all η": f"{n['outlived']} of {n['all']}",
        "that ended, within a factor of 2 of the expected length, all η": f"{n['within']} of {n['ended']}",
        "still on when the run ended, and expected to be, all η": f"{n['on_right']} of {n['still']}",
    }
    return [
        claim("9, 10", "quiet and random-like stretches", "intermittency", shares, n["both"], quiet),
        claim("12", "single weights on and off", "yes", weights, n["at_1"] > 10 * n["at_0"]),
        *(beyond("9-12", quantity, ours) for quantity, ours in more.items()),
    ]


report = Experiment(summarise, figures, findings, words)
