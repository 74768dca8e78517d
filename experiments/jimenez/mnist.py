"""The main figure: over a range of learning rates training is chaotic, learns, and is fastest."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import findings
import numpy as np
import xarray as xr
from edge_of_chaos import ONSETS, summarise, title_of

from chaosjax import plotting, stats
from jimenez import mnist_figures as figures

RULES = {
    "steepest": "steepest window",
    "steepest_tangent": "tangent, windows of the steepest",
    "kept": "best R², kept cells (R² > 0.9, Λ > 0.05)",
    "kept_tangent": "tangent, windows of the kept cells",
    "short": "best R² of 10 to 30 steps, kept cells",
    "short_tangent": "tangent, windows of those",
    "fit": "best R², all cells",
    "fit_tangent": "tangent, windows of the best R²",
    "whole": "tangent, whole run",
}
"""Every fitting rule that is reported. The studies' own is not published; λ_nMLE is taken by the first."""

SHORT = range(10, 31, 5)
"""Lengths of windows that fit into a phase of growth which saturates within some 20 steps."""

FILTERED = {"kept": range(30, 101, 5), "short": SHORT}
"""Lengths of the windows of the rules that keep only some cells."""


def report(datasets: Mapping[str, xr.Dataset], folder: Path, thresholds: Sequence[float], level: float = 0.05) -> None:
    """Writes the figures, a summary of each job, findings.json and the table; claims are held against the first job.

    Args:
        datasets: the sweep in each kind of numbers, float64 first.
        thresholds: test accuracies that end the training time.
        level: exponent in nats per step above which a window counts as chaotic.
    """
    datasets = {name: datasets[name].load() for name in sorted(datasets, reverse=True)}
    at = xr.DataArray(list(thresholds), dims="threshold", coords={"threshold": list(thresholds)})
    summaries = {name: summarise_study(dataset, at, level) for name, dataset in datasets.items()}
    for name, summary in summaries.items():
        summary.to_zarr(folder / f"summary_{name}.zarr", mode="w", consolidated=False)
    numbers, dataset = next(iter(datasets.items()))
    summary, title = summaries[numbers], f"{title_of(dataset)}, {numbers}"
    figures.rates(summary, RULES, title).savefig(folder / "rates.png", dpi=150)
    figures.curves(dataset["distance"], title).savefig(folder / "curves.png", dpi=150)
    local = stats.local_exponents(dataset["growth"].isel(exponent=0))
    shown = figures.spread(dataset["learning_rate"].values)
    plotting.perturbation_growth(dataset["distance"], local, shown, title).savefig(folder / "transient.png", dpi=150)
    pairs = {name: exponent_cells(dataset) for name, dataset in datasets.items()}
    figures.agreement(pairs, title_of(dataset)).savefig(folder / "agreement.png", dpi=150)
    found = found_in(dataset, summary, pairs)
    findings.save(folder, found, findings.cost(*datasets.values()), _text(summary, datasets))


def found_in(dataset: xr.Dataset, summary: xr.Dataset, pairs: Mapping[str, xr.Dataset]) -> list[findings.Finding]:
    """The claims at each threshold and each chaotic η that learns; then what the study does not publish."""
    rows = [summary.sel(threshold=value) for value in summary["threshold"].values]
    return [
        *(_learns_in_chaos(row) for row in rows),
        *(_fastest_in_chaos(row) for row in rows),
        *_transients(dataset, rows[0]),
        *_unpublished(summary),
        *_agreements(pairs),
    ]


def summarise_study(dataset: xr.Dataset, thresholds: xr.DataArray, level: float) -> xr.Dataset:
    """`edge_of_chaos.summarise` at several thresholds, and the mean that the studies' filter gives, as `kept`."""
    summary = summarise(dataset, thresholds, level)
    growth, parts = dataset["growth"].isel(exponent=0), {}
    for name, lengths in FILTERED.items():
        fit = stats.exponential_window(dataset["distance"], lengths=lengths)
        tangent = stats.finite_time_exponents(growth, fit["start"], fit["stop"])
        for entry, cells in {name: fit["exponent"], f"{name}_tangent": tangent}.items():
            parts[entry] = stats.mean_interval(cells.where(fit["kept"]), skipna=True).drop_attrs()
        summary[f"{name}_share"] = fit["kept"].mean("seed")
    return summary.merge(findings.joined(**parts), combine_attrs="override")


def exponent_cells(dataset: xr.Dataset) -> xr.Dataset:
    """`ensemble` and `tangent` exponents of each cell in the ensemble's steepest window, and `whole`, the tangent's."""
    growth = dataset["growth"].isel(exponent=0)
    fit = stats.exponential_window(dataset["distance"], select="slope")
    tangent = stats.finite_time_exponents(growth, fit["start"], fit["stop"])
    cells = {"ensemble": fit["exponent"], "tangent": tangent, "whole": stats.finite_time_exponents(growth)}
    return xr.Dataset({name: values.astype(float) for name, values in cells.items()})


def _learns_in_chaos(summary: xr.Dataset) -> findings.Finding:
    """One threshold: the η whose λ_nMLE is above the level with its whole interval, and whose seeds all arrive."""
    accuracy, level = float(summary["threshold"]), summary.attrs["level"]
    arrives = summary["reached_fraction"] == 1
    both = (summary["steepest_low"] > level) & arrives
    tangent = (summary["steepest_tangent_low"] > level) & arrives
    ours = f"{listed(summary, both)}, by the tangent {listed(summary, tangent)}"
    ours += f"; in all seeds to {accuracy:.0%} at {listed(summary, arrives)}"
    unknown = not bool(arrives.any()) or bool(summary["steepest_low"].isnull().all())
    note = "no η gets there in every seed" if not bool(arrives.any()) else ""
    note = note or ("a single η of the grid" if int(both.sum()) == 1 else "")
    return findings.claim(
        "main",
        f"λ > {level:g} and learns to {accuracy:.0%}",
        "over a range of η",
        ours,
        None if unknown else bool(both.any()),
        note or ("no interval: too few seeds" if unknown else ""),
    )


def _fastest_in_chaos(summary: xr.Dataset) -> findings.Finding:
    """One threshold: whether the best chaotic η is faster than the best other, with the whole interval of the ratio."""
    gain, low, high = findings.triple(summary, "gain_speed_up")
    best = findings.shown(summary, "best_fastest")
    steps = findings.shown(summary, "best_training_time", " steps")
    other, reached = float(summary["gain_non_chaotic"]), float(summary["gain_non_chaotic_reached"])
    ours = f"η = {best}, {steps}; chaotic {listed(summary, summary['chaotic'])}"
    level, fastest = summary.attrs["level"], float(summary["best_fastest"])
    there = summary.sel(learning_rate=fastest) if np.isfinite(fastest) else summary.isel(learning_rate=0)
    ours += f"; λ there {findings.shown(there, 'steepest')}" if np.isfinite(fastest) else ""
    if np.isfinite(gain):
        ours += f"; {findings.interval(gain, low, high)} times faster than η = {other:g}, the best below η_c"
    holds = findings.above(summary, 1, "gain_speed_up")
    if not np.isfinite([low, high]).all():
        note = "not reached, or no interval"
    elif holds is None:
        note = "the interval of the speed-up holds 1"
    else:
        notes = [] if reached == 1 else [f"η = {other:g} gets there in {reached:.0%} of the seeds: a lower bound"]
        if not findings.above(there, level, "steepest"):
            notes.append(f"the interval of λ there is not all above {level:g}")
        note = "; ".join(notes)
    return findings.claim(
        "main", f"fastest η, to {float(summary['threshold']):.0%}", "a chaotic one", ours, holds, note
    )


def _transients(dataset: xr.Dataset, summary: xr.Dataset) -> list[findings.Finding]:
    """Each chaotic η that learns: whether the tangent exponent of the last quarter of the run is below the level."""
    growth, level, time = dataset["growth"].isel(exponent=0), summary.attrs["level"], dataset["time"].values
    first, last = float(time[len(time) // 4]), float(time[-1 - len(time) // 4])
    early = stats.mean_interval(stats.finite_time_exponents(growth, stop=first))
    late = stats.mean_interval(stats.finite_time_exponents(growth, start=last))
    learns = summary["chaotic"] & (summary["reached_fraction"] == 1)
    found = []
    for eta in summary["learning_rate"].values[learns.values]:
        begun, ended = early.sel(learning_rate=eta), late.sel(learning_rate=eta)
        ours = f"tangent λ {findings.shown(begun)} in steps 0 to {first:g}, {findings.shown(ended)} from {last:g} on"
        calm = findings.below(ended, level)
        note = "" if calm else f"the run ends at step {time[-1]}"
        quantity = f"chaos at η = {eta:g} ends before step {last:g}"
        found.append(findings.claim("main", quantity, "a transient", ours, calm, note))
    return found


def _unpublished(summary: xr.Dataset) -> list[findings.Finding]:
    """Onset by rule and where λ is above the level by rule: the study gives neither."""
    level = summary.attrs["level"]
    found = []
    for name, label in ONSETS.items():
        ours = findings.shown(summary, f"{name}_onset")
        ours = f"at or below {ours}" if bool(summary[f"{name}_censored"]) else ours
        bound = 0 if name == "whole" else level
        found.append(findings.beyond("main", f"onset η_c: {label} above {bound:g}", ours, "not published"))
    for name, label in RULES.items():
        above = summary[f"{name}_low"] > level
        top = int(summary[name].fillna(-np.inf).argmax("learning_rate"))
        highest = findings.shown(summary.isel(learning_rate=top), name)
        ours = f"{listed(summary, above)}; largest {highest} at η = {float(summary['learning_rate'][top]):g}"
        found.append(findings.beyond("main", f"λ > {level:g}: {label}", ours, "rule not published"))
    return found


def _agreements(pairs: Mapping[str, xr.Dataset]) -> list[findings.Finding]:
    compared = {
        f"ensemble − tangent, steepest window, {name}": (cells["ensemble"], cells["tangent"])
        for name, cells in pairs.items()
    }
    if len(pairs) > 1:
        (first, one), (second, other) = pairs.items()
        for entry in ("ensemble", "whole"):
            label = {"ensemble": "ensemble, steepest window", "whole": "tangent, whole run"}[entry]
            compared[f"{second} − {first}, {label}"] = (other[entry], one[entry])
    found = []
    for label, (ours, theirs) in compared.items():
        agreed = stats.agreement(ours, theirs, pool=("learning_rate",))
        gap = findings.shown(agreed, "difference", " nats/step")
        found.append(findings.beyond("main", label, f"{gap}, rms {float(agreed['rms']):.2g}"))
    return found


def listed(summary: xr.Dataset, chosen: xr.DataArray) -> str:
    """The chosen learning rates in words: first and last, and how many of the grid."""
    eta = summary["learning_rate"].values[chosen.values]
    if not eta.size:
        return "no η"
    span = f"η = {eta[0]:g}" if len(eta) == 1 else f"η from {eta[0]:g} to {eta[-1]:g}"
    return f"{span} ({len(eta)} of {chosen.size})"


def _text(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> str:
    first = next(iter(datasets.values()))
    data = first.attrs["identity"]["system"]["dataset"]
    kinds = ", ".join(f"{name} with ε = {_radius(dataset):g}" for name, dataset in datasets.items())
    rows = {value: summary.sel(threshold=value) for value in summary["threshold"].values}
    chaotic = summary.isel(learning_rate=np.flatnonzero(summary["chaotic"]))
    kept, short = (
        f"{float(chaotic[f'{name}_share'].sum()) / max(1, chaotic['chaotic'].size):.0%}" for name in FILTERED
    )
    best = ", ".join(f"{value:.0%} at η = {findings.shown(row, 'best_fastest')}" for value, row in rows.items())
    reached = ", ".join(f"{value:.0%} at {listed(row, row['reached_fraction'] == 1)}" for value, row in rows.items())
    return f"""\
{data["train_samples"]:,} training samples, {first.sizes["seed"]} initialisations × {first.sizes["copy"]} perturbations,
{int(first["time"][-1])} steps, {first.sizes["learning_rate"]} learning rates, in {kinds}. Float32 weights cannot hold a
perturbation of 1e-8, hence its larger radius.

The onset by the tangent exponent in the steepest window is η_c = {findings.shown(summary, "onset")}; it is known to the
grid's spacing at best. All seeds reach {reached}. Training is fastest to {best}.

The study publishes neither its accuracy threshold nor its fitting rule nor the η of onset and minimum. So each claim is
held against three thresholds, with λ_nMLE of the steepest window of 30 steps or more; the other rules stand below.
Where copies part fast they are apart before the shortest of these windows ends: its slope is then less than the
tangent's, and the straightest window often lies in the calm after it. The best-R² rule keeps {kept} of the cells at
the chaotic η, and with windows of {SHORT[0]} to {SHORT[-1]} steps {short}. It keeps only Λ > 0.05: its mean is above
that by construction."""


def _radius(dataset: xr.Dataset) -> float:
    return float(dataset.attrs["identity"]["probes"]["distance"]["radius"])
