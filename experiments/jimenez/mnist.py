"""The main figure: over a range of learning rates training is chaotic, learns, and is fastest."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import EdgeOfChaos, plotting, provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, edge_of_chaos, title_of
from experiments.jimenez import mnist_figures as draw

RULES = {
    "steepest": "steepest window",
    "steepest_tangent": "tangent, steepest window",
    "kept": "straightest window, kept cells (R² > 0.9, Λ > 0.05)",
    "kept_tangent": "tangent, windows of the kept cells",
    "short": "straightest window of 10 to 30 steps, kept cells",
    "short_tangent": "tangent, windows of 10 to 30 steps",
    "fit": "straightest window, all cells",
    "fit_tangent": "tangent, straightest window",
    "whole": "tangent, whole run",
}
"""Every fitting rule that is reported. The studies' own is not published; λ_nMLE is taken by the first."""

SHORT = range(10, 31, 5)
"""Lengths of windows that fit into a phase of growth which saturates within some 20 steps."""

FILTERED = {"kept": range(30, 101, 5), "short": SHORT}
"""Lengths of the windows of the rules that keep only some cells."""


def summarise(datasets: Mapping[str, xr.Dataset], thresholds: list[float], level: float) -> xr.Dataset:
    """Take `edge_of_chaos.summarise`, the rules that keep some cells only, and the exponents of single cells.

    Args:
        datasets: the sweep in each kind of numbers.
        thresholds: test accuracies that end the training time.
        level: exponent in nats per step above which a window counts as chaotic.

    Returns:
        all along ``numbers``, float64 first: claims are held against that.
    """
    names = sorted(datasets, reverse=True)
    parts = [_summary(datasets[name], thresholds, level) for name in names]
    numbers = xr.DataArray(np.array(names, dtype=object), dims="numbers", name="numbers")
    return xr.concat(parts, numbers, coords="minimal", compat="override")


def _summary(dataset: xr.Dataset, thresholds: list[float], level: float) -> xr.Dataset:
    summary = edge_of_chaos.summarise(dataset, thresholds, level)
    growth = stats.first_exponent(dataset["growth"])
    for name, lengths in FILTERED.items():
        fit = stats.exponential_window(dataset["distance"], lengths=lengths)
        tangent = stats.tangent_in_windows(growth, fit)
        for entry, cells in {name: fit["exponent"], f"{name}_tangent": tangent}.items():
            summary[entry] = stats.mean_interval(cells.where(fit["kept"]), skipna=True)
        summary[f"{name}_share"] = fit["kept"].mean("seed")
    fit = stats.exponential_window(dataset["distance"], select="slope")
    cells = {"ensemble": fit["exponent"], "tangent": stats.tangent_in_windows(growth, fit)}
    cells["whole"] = stats.finite_time_exponents(growth)
    return summary.assign({f"cells_{name}": values.astype(float) for name, values in cells.items()})


def cells_of(summary: xr.Dataset) -> dict[str, xr.Dataset]:
    """By kind of numbers, the exponents of each cell: `ensemble` and `tangent` in the steepest window, and `whole`."""
    parts = summary[[f"cells_{name}" for name in ("ensemble", "tangent", "whole")]]
    parts = parts.rename({name: str(name).removeprefix("cells_") for name in parts})
    return {str(name): parts.sel(numbers=name, drop=True) for name in parts["numbers"].values}


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    """The claims at each threshold and each chaotic η that learns; then what the study does not publish."""
    first = summary.isel(numbers=0)
    rows = [first.sel(threshold=value) for value in first["threshold"].values]
    return [
        *(_learns_in_chaos(row) for row in rows),
        *(_fastest_in_chaos(row) for row in rows),
        *_transients(datasets[first["numbers"].item()], rows[0]),
        *_unpublished(first),
        *_agreements(cells_of(summary)),
    ]


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    first = summary.isel(numbers=0)
    numbers = first["numbers"].item()
    dataset, title = datasets[numbers], f"{title_of(datasets[numbers])}, {numbers}"
    local = stats.local_exponents(stats.first_exponent(dataset["growth"]))
    shown = draw.spread(dataset["learning_rate"].values)
    return {
        "rates": draw.rates(first, RULES, title),
        "curves": draw.curves(dataset["distance"], title),
        "transient": plotting.perturbation_growth(dataset["distance"], local, shown, title),
        "agreement": draw.agreement(cells_of(summary), title_of(dataset)),
    }


def _learns_in_chaos(summary: xr.Dataset) -> Finding:
    """One threshold: the η whose λ_nMLE is above the level with its whole interval, and whose seeds all arrive."""
    accuracy, level = float(summary["threshold"]), summary.attrs["level"]
    arrives = _arrives(summary)
    low, tangent_low = (stats.bounds(summary[name])[1] for name in ("steepest", "steepest_tangent"))
    both = (low > level) & arrives
    ours = f"{listed(both)}, by the tangent {listed((tangent_low > level) & arrives)}"
    ours += f"; in all seeds to {accuracy:.0%} at {listed(arrives)}"
    unknown = not bool(arrives.any()) or bool(low.isnull().all())
    note = "no η gets there in every seed" if not bool(arrives.any()) else ""
    note = note or ("a single η of the grid" if int(both.sum()) == 1 else "")
    note = note or ("no interval: too few seeds" if unknown else "")
    holds = None if unknown else bool(both.any())
    return claim("main", f"λ > {level:g} and learns to {accuracy:.0%}", "over a range of η", ours, holds, note)


def _fastest_in_chaos(summary: xr.Dataset) -> Finding:
    """One threshold: whether the best chaotic η is faster than the best other, with the whole interval of the ratio."""
    gain, fastest = summary["gain_speed_up"], float(stats.bounds(summary["best_fastest"])[0])
    steps = stats.format_interval(summary["best_training_time"], "steps")
    other, reached = float(summary["gain_non_chaotic"]), float(summary["gain_non_chaotic_reached"])
    best = f"η = {stats.format_interval(summary['best_fastest'])}, {steps}" if np.isfinite(fastest) else "none found"
    ours = f"{best}; chaotic {listed(summary['chaotic'])}"
    there = summary.sel(learning_rate=fastest) if np.isfinite(fastest) else summary.isel(learning_rate=0)
    ours += f"; λ there {stats.format_interval(there['steepest'])}" if np.isfinite(fastest) else ""
    if np.isfinite(stats.bounds(gain)[0]):
        ours += f"; {stats.format_interval(gain)} times faster than η = {other:g}, the best below η_c"
    holds, level = stats.above(gain, 1), summary.attrs["level"]
    if not np.isfinite(stats.bounds(gain)[1:]).all():
        note = "not reached, or no interval"
    elif holds is None:
        note = "the interval of the speed-up holds 1"
    else:
        notes = [] if reached == 1 else [f"η = {other:g} gets there in {reached:.0%} of the seeds: a lower bound"]
        if not stats.above(there["steepest"], level):
            notes.append(f"the interval of λ there is not all above {level:g}")
        note = "; ".join(notes)
    return claim("main", f"fastest η, to {float(summary['threshold']):.0%}", "a chaotic one", ours, holds, note)


def _transients(dataset: xr.Dataset, summary: xr.Dataset) -> list[Finding]:
    """Each chaotic η that learns: whether the tangent exponent of the last quarter of the run is below the level."""
    growth, level, time = stats.first_exponent(dataset["growth"]), summary.attrs["level"], dataset["time"].values
    first, last = float(time[len(time) // 4]), float(time[-1 - len(time) // 4])
    early = stats.mean_interval(stats.finite_time_exponents(growth, stop=first))
    late = stats.mean_interval(stats.finite_time_exponents(growth, start=last))
    learns = summary["chaotic"] & _arrives(summary)
    found = []
    for eta in summary["learning_rate"].values[learns.values]:
        begun, ended = (stats.format_interval(part.sel(learning_rate=eta)) for part in (early, late))
        ours = f"tangent λ {begun} in steps 0 to {first:g}, {ended} from {last:g} on"
        calm = stats.below(late.sel(learning_rate=eta), level)
        note = "" if calm else f"the run ends at step {time[-1]}"
        found.append(claim("main", f"chaos at η = {eta:g} ends before step {last:g}", "a transient", ours, calm, note))
    return found


def _unpublished(summary: xr.Dataset) -> list[Finding]:
    """Onset by rule and where λ is above the level by rule: the study gives neither."""
    level, found = summary.attrs["level"], []
    for quantity, ours in EdgeOfChaos(summary, summary).rows().items():
        if quantity.startswith("onset"):
            found.append(beyond("main", quantity, ours, "not published"))
    for name, label in RULES.items():
        mean, low, _ = stats.bounds(summary[name])
        top = int(mean.fillna(-np.inf).argmax("learning_rate"))
        highest = stats.format_interval(summary[name].isel(learning_rate=top))
        at = f" at η = {float(summary['learning_rate'][top]):g}" if bool(mean.notnull().any()) else ""
        ours = f"{listed(low > level)}; largest {highest}{at}"
        found.append(beyond("main", f"λ > {level:g}: {label}", ours, "rule not published"))
    return found


def _agreements(pairs: Mapping[str, xr.Dataset]) -> list[Finding]:
    compared = {
        f"ensemble − tangent, steepest window, {name}": (cells["ensemble"], cells["tangent"])
        for name, cells in pairs.items()
    }
    if len(pairs) > 1:
        (first, one), (second, other) = pairs.items()
        for entry, label in {"ensemble": "ensemble, steepest window", "whole": "tangent, whole run"}.items():
            compared[f"{second} − {first}, {label}"] = (other[entry], one[entry])
    found = []
    for label, (ours, theirs) in compared.items():
        agreed = stats.agreement(ours, theirs, pool=("learning_rate",))
        gap = stats.format_interval(agreed["difference"], "nats/step")
        found.append(beyond("main", label, f"{gap}, rms {float(agreed['rms']):.2g}"))
    return found


def _arrives(summary: xr.Dataset) -> xr.DataArray:
    return stats.bounds(summary["reached_fraction"])[0] == 1


def listed(chosen: xr.DataArray) -> str:
    """The chosen learning rates in words: first and last, and how many of the grid."""
    eta = chosen["learning_rate"].values[chosen.values]
    if not eta.size:
        return "no η"
    span = f"η = {eta[0]:g}" if len(eta) == 1 else f"η from {eta[0]:g} to {eta[-1]:g}"
    return f"{span} ({len(eta)} of {chosen.size})"


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    first, names = summary.isel(numbers=0), [str(name) for name in summary["numbers"].values]
    dataset = datasets[names[0]]
    radii = {name: provenance_of(datasets[name])["identity"]["probes"]["distance"]["radius"] for name in names}
    rows = {value: first.sel(threshold=value) for value in first["threshold"].values}
    chaotic = first.isel(learning_rate=np.flatnonzero(first["chaotic"]))
    shares = {name: float(chaotic[f"{name}_share"].sum()) / max(1, chaotic["chaotic"].size) for name in FILTERED}
    best = {value: row["best_fastest"] for value, row in rows.items()}
    return {
        "samples": provenance_of(dataset)["identity"]["system"]["dataset"]["train_samples"],
        **{name: dataset.sizes[name] for name in ("seed", "copy", "learning_rate")},
        "steps": int(dataset["time"][-1]),
        "kinds": ", ".join(f"{name} with ε = {radius:g}" for name, radius in radii.items()),
        "onset": stats.format_interval(first["onset"]),
        "reached": ", ".join(f"{value:.0%} at {listed(_arrives(row))}" for value, row in rows.items()),
        "best": ", ".join(f"{value:.0%} at η = {stats.format_interval(eta)}" for value, eta in best.items()),
        "shortest": SHORT[0],
        "longest": SHORT[-1],
        **{name: f"{share:.0%}" for name, share in shares.items()},
    }


report = Experiment(summarise, figures, findings, words)
