"""Figures 9-12: what the quiet and the random-like stretches at η = 5 are."""

from functools import partial
from pathlib import Path

import findings
import numpy as np
import xarray as xr
from hydra.utils import instantiate

from chaosjax import series, stats
from danovski import reduced
from danovski.phases_figure import figure
from danovski.units import FROZEN, SHORTEST, compare, frequencies_of, phases, spectra

ETA = 5.0
"""The study's learning rate; the others of the sweep test what the reduced map says of them."""

TEXT = """\
At η = {eta:g} training has failed, and what goes on is no longer learning. In {constant} of the time every hidden unit
is stuck within {frozen:g} of 0 or of 1 on all samples, so the net answers the same to every flower (accuracy at most
{accuracy:.3f}, the largest class). The m units stuck at 1 and the output biases see one and the same gradient, and what
is left is descent on three logits, `z' = z − η_eff (softmax(z) − p)` with `η_eff = η (1 + m)`: a map of the plane. Its
fixed point is stable below η_eff = {critical:.2f} (m = 0). Between {low:.2f} and {high:.2f} it is chaotic from some
starts (λ > 0.05; at m = 1 from {share_10} of random starts), and nowhere else up to {end:g}; from the others it ends on
a cycle in which the classes take turns (period {periods} in our phases).

The random-like stretches are chaos with one unit on: {full} nats per step in the net, {two} in the reduced map.
The quiet ones are cycles, not quasi-periodic: the net's own loss repeats every 3 steps in {repeats} of them.
What may look so is an orbit that locks to its cycle slowly, by a factor e in up to {locking} steps. A cycle's two
exponents are negative and the net's largest is 0, for its other {neutral} directions
are neutral. Where softmax is nearly argmax, at large η_eff, the map is herding (Welling, ICML 2009). So chaos is not
monotonic in η: at η = {etas} the reduced map tells which phases are chaotic in {agree} of {all}.

A phase ends when a unit comes unstuck. The force on a nearly constant unit is proportional to its distance a from 0 or
1, so da/dt = ±c a², and 1/a is a straight line. Steps 50 to 150 of a phase tell how long it lasts at most:
{outlived} of {all} lasted longer, {within} of the {ended} that ended did so within a factor of 2, and
{on_right} of the {still} that were still on when the run ended had been told to be.
"""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes phases.png, phases.zarr, findings.json and the table; the last two only where no phase was long enough."""
    dataset = dataset.load()
    costs = findings.cost(dataset)
    runs = phases(dataset)
    config = dataset.attrs["config"]
    frequencies = frequencies_of(instantiate(config["dataset"]))
    beside = spectra(dataset, instantiate(config["system"]), frequencies, ETA)
    if beside is None or not (runs.sizes["phase"] and (runs["eta"] == ETA).any()):
        none = f"no phase of {SHORTEST} steps, or none at the first snapshot"
        claim = findings.claim("9-12", f"stretches at η = {ETA:g}", "intermittent", none, None, "too short a run")
        findings.save(folder, [claim], costs)
        return
    runs = compare(dataset, runs, frequencies)
    diagram = reduced.diagram(frequencies, 3.0, 32.0, 117, 8)
    runs.to_zarr(folder / "phases.zarr", mode="w", consolidated=False)
    figure(dataset, runs, beside, diagram, ETA).savefig(folder / "phases.png", dpi=150)
    numbers = measure(dataset, runs, beside, diagram) | {"critical": reduced.critical(frequencies)}
    findings.save(folder, conclude(numbers), costs, text=TEXT.format(**numbers))


def mean(values: np.ndarray, low: float = -np.inf, high: float = np.inf) -> str:
    """Mean and interval over seeds, cut at what the quantity can be."""
    if not np.size(values):
        return "none"
    interval = stats.mean_interval(xr.DataArray(values, dims="seed"))
    low, high = (float(interval[end].clip(low, high)) for end in ("low", "high"))
    return findings.interval(float(interval["estimate"]), low, high)


def by_seed(values: np.ndarray, runs: xr.Dataset, chosen: np.ndarray) -> str:
    """Mean over the chosen phases of each seed, then over seeds."""
    cells = runs["cell"].values
    return mean(np.array([values[chosen & (cells == cell)].mean() for cell in np.unique(cells[chosen])]))


def measure(dataset: xr.Dataset, runs: xr.Dataset, beside: xr.Dataset, diagram: xr.DataArray) -> dict:
    """Every number of the table and the text."""
    cells = dataset.sel(learning_rate=ETA)
    constant = (cells["units_exposure"] < FROZEN).all("unit")
    moving = (cells["units_exposure"] >= FROZEN).sum("unit").where(~constant)
    ours = runs.isel(phase=runs["eta"].values == ETA)
    kind = np.where(ours["chaotic"], "chaos", np.where(ours["period"] == 1, "fixed", "cycle"))
    seeds, steps = dataset.sizes["seed"], int(dataset["time"][-1])
    time = {
        name: np.bincount(ours["cell"], ours["steps"] * (kind == name), seeds) / steps
        for name in ("fixed", "cycle", "chaos")
    }
    full, two = runs["exponents"].isel(exponent=0).values, runs["reduced_exponents"].isel(exponent=0).values
    chaos, here = runs["chaotic"].values, runs["eta"].values == ETA
    rates = diagram["eta_eff"].values[(diagram > reduced.CHAOS).any("start")]
    at_10 = diagram.sel(eta_eff=2 * ETA, method="nearest") > reduced.CHAOS
    at_rest = beside.isel(cell=beside["reduced"].isel(exponent=0).values < 0)
    chaotic = beside.isel(cell=beside["reduced"].isel(exponent=0).values > 0)
    parted = (np.abs((chaotic["loss"] - chaotic["reduced_loss"]).values) > 0.1).argmax(-1)
    own_period = partial(series.period, max_period=24)
    cycling = at_rest["loss"].isel(cell=at_rest["eta_eff"].values > ETA)
    repeats = series.apply(own_period, cycling)["value"].values if cycling.size else np.empty(0)
    available = (dataset.sizes["time"] - 1 - runs["first"].values) * int(dataset["time"][1])
    ended, expected = runs["ended"].values, runs["lifetime"].values
    ratio = np.abs(np.log2(expected[ended] / runs["steps"].values[ended]))
    cycles = ours.isel(phase=kind == "cycle")
    slow = {int(m): float(-1 / group["limit"].isel(exponent=0).max()) for m, group in cycles.groupby("on")}
    return {
        "eta": ETA,
        "frozen": FROZEN,
        "time": {name: mean(values, 0, 1) for name, values in time.items()},
        "rest": mean(1 - np.sum(list(time.values()), axis=0), 0, 1),
        "both": all(values.any() for values in time.values()),
        "constant": mean(constant.mean("time").values, 0, 1),
        "moving": mean(moving.mean("time").values),
        "accuracy": float(cells["accuracy"].where(constant).max()),
        "low": rates.min() if rates.size else np.nan,
        "high": rates.max() if rates.size else np.nan,
        "end": float(diagram["eta_eff"].max()),
        "share_10": f"{float(at_10.mean()):.0%}",
        "periods": ", ".join(f"{p:g}" for p in np.unique(cycles["period"])),
        "slow": ", ".join(f"m = {m}: {t:.3g}" for m, t in slow.items()),
        "locking": f"{max(slow.values(), default=np.nan):,.0f}",
        "full": by_seed(full, runs, chaos & here),
        "two": by_seed(two, runs, chaos & here),
        "difference": by_seed(full - two, runs, chaos),
        "chaotic": int((chaos & here).sum()),
        "on_chaotic": ", ".join(map(str, np.unique(ours["on"].values[kind == "chaos"]))) or "none",
        "agree": int(((full > reduced.CHAOS) == chaos).sum()),
        "quiet": float(np.median(np.abs(full[~chaos & here]))),
        "one_step": float(ours["one_step"].median()),
        "loss_error": float(cycles["loss_error"].median()),
        "parted": mean(parted),
        "spectrum": float(np.median(np.abs((at_rest["leading"] - at_rest["reduced"]).values))),
        "repeats": f"{(repeats == 3).sum()} of {repeats.size}",
        "spectra": at_rest.sizes["cell"],
        "rest_exponents": float(beside["rest"].max()),
        "neutral": dataset.sizes["coordinate"] - 2,
        "at_1": float(beside["at_1"].median()),
        "at_0": float(beside["at_0"].max()),
        "all": runs.sizes["phase"],
        "ended": int(ended.sum()),
        "still": int((~ended).sum()),
        "on_right": int((expected[~ended] > available[~ended]).sum()),
        "outlived": int((runs["steps"].values > 1.05 * expected).sum()),
        "etas": ", ".join(f"{eta:g}" for eta in dataset["learning_rate"].values),
        "outside": outside_phases(cells, ours),
        "within": int((ratio < 1).sum()),
    }


def outside_phases(cells: xr.Dataset, runs: xr.Dataset) -> str:
    """The leading exponent of the network over all steps that are in no phase, by seed."""
    outside = np.ones((cells.sizes["seed"], cells.sizes["time"]), bool)
    outside[:, 0] = False
    for cell, first, last in zip(*(runs[name].values for name in ("cell", "first", "last")), strict=True):
        outside[cell, first + 1 : last + 1] = False
    growth = cells["growth"].isel(exponent=0).transpose("seed", "time").values / float(cells["time"][1])
    return mean(np.array([g[o].mean() for g, o in zip(growth, outside, strict=True) if o.any()]))


def conclude(n: dict) -> list[findings.Finding]:
    time = n["time"]
    shares = f"cycles {time['cycle']}, chaos {time['chaos']}, fixed point {time['fixed']}, none of these {n['rest']}"
    quiet = f"the quiet ones are cycles of period {n['periods']}, not quasi-periodic"
    weights = f"s.d. {n['at_1']:.2g} where the unit is at 1 (median), at most {n['at_0']:.2g} where it is at 0"
    beyond = {
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
        f"starts that end in chaos at η_eff = {2 * ETA:g}": n["share_10"],
        "steps to lock to a cycle by 1/e, slowest by units at 1": n["slow"],
        "phases told right, chaotic or not, all η": f"{n['agree']} of {n['all']}",
        "λ of the net in the rest of the time": n["outside"],
        "phases that lasted longer than expected, all η": f"{n['outlived']} of {n['all']}",
        "that ended, within a factor of 2 of the expected length, all η": f"{n['within']} of {n['ended']}",
        "still on when the run ended, and expected to be, all η": f"{n['on_right']} of {n['still']}",
    }
    return [
        findings.claim("9, 10", "quiet and random-like stretches", "intermittency", shares, n["both"], quiet),
        findings.claim("12", "single weights on and off", "yes", weights, n["at_1"] > 10 * n["at_0"]),
        *(findings.beyond("9-12", quantity, ours) for quantity, ours in beyond.items()),
    ]
