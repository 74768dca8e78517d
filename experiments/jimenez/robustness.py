"""Does the fastest learning rate lie in the chaotic range? Asked of every case alike (Jiménez-González et al. 2026)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import findings
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from chaosjax import stats

YES, NO, UNDECIDED = "yes", "no", "undecided"
COLOURS = {YES: "tab:red", NO: "tab:blue", UNDECIDED: "0.5"}
ENDS = {"": "estimate", "_low": "low", "_high": "high"}


def report(
    datasets: Mapping[str, xr.Dataset],
    folder: Path,
    groups: Mapping[str, Sequence[str]],
    share: float = 0.9,
    level: float = 0.05,
    thresholds: Sequence[float] = (0.7, 0.8, 0.9),
) -> None:
    """Writes robustness.png, summary.zarr, findings.json and the table.

    Args:
        groups: the cases that each part of the claim rests on.
        share: training ends at this share of the best test accuracy that any learning rate reaches in the mean.
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
        thresholds: fixed test accuracies at which the question is asked again.
    """
    order = [case for cases in groups.values() for case in cases]
    skipped = [case for case in order if (folder / case).is_dir() and not (folder / case / "sweep.zarr").exists()]
    order = [case for case in dict.fromkeys([*order, *datasets]) if case in datasets]
    if not order:
        print(f"{folder} holds no finished case")
        return
    loaded = {case: datasets[case].load() for case in order}
    rows = [summarise(dataset, share, level, thresholds) for dataset in loaded.values()]
    summary = xr.concat(rows, xr.DataArray(order, dims="case", name="case"), coords="minimal", compat="override")
    labels = {case: dataset.attrs["config"].get("label", case) for case, dataset in loaded.items()}
    summary = summary.assign_attrs(labels=labels)
    # strings have no stable format in zarr; `labels` names the rows
    summary.drop_vars("case").to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    figure(summary).savefig(folder / "robustness.png", dpi=150)
    words = text(summary, skipped)
    findings.save(folder, found(summary, groups), findings.cost(*loaded.values()), text=words)


def summarise(dataset: xr.Dataset, share: float, level: float, thresholds: Sequence[float]) -> xr.Dataset:
    """One case: η_c, the fastest η, their ratio, the exponent there and the speed-up, each with its interval.

    λ is the tangent's exponent in the steepest window of the ensemble, η_c its `stats.onset` at `level`. The verdict
    on "the fastest η is chaotic" is *yes* where the interval of λ there lies above `level`, *no* where it lies below.
    """
    accuracy, growth = dataset["test_accuracy"], dataset["growth"].isel(exponent=0)
    fit = stats.exponential_window(dataset["distance"], select="slope")
    exponent = stats.finite_time_exponents(growth, fit["start"], fit["stop"])
    best = float(accuracy.mean("seed", skipna=False).max())
    onset = stats.onset(exponent, level=level)
    fastest = stats.fastest(accuracy, share * best)
    gain = stats.speed_up(accuracy, onset["onset"], share * best)
    parts = [onset, fastest, gain, at_the_fastest(exponent, accuracy, share * best, onset, level)]
    kept = [part.drop_attrs(deep=False).drop_vars("found", errors="ignore").reset_coords(drop=True) for part in parts]
    kept[1] = kept[1].rename(censored="fastest_censored", reached_fraction="fastest_reached")
    summary = xr.merge(kept).assign(best=best, threshold=share * best, seeds=dataset.sizes["seed"])
    summary["chaotic"] = chaotic(summary, level)
    grid = dataset["learning_rate"].values
    summary["at_the_end"] = bool(float(fastest["fastest"]) in (grid[0], grid[-1]))
    for name in ("start", "stop"):
        at = fit[name].mean("seed").sel(learning_rate=fastest["fastest"], method="nearest")
        summary[f"window_{name}"] = at.reset_coords(drop=True)
    fixed = [at_the_fastest(exponent, accuracy, threshold, onset, level) for threshold in thresholds]
    reached = ~stats.fastest(accuracy, xr.DataArray(list(thresholds), dims="accuracy"), resamples=1)["censored"]
    summary["fixed"] = ("accuracy", [chaotic(there, level) for there in fixed])
    summary["fixed_reached"] = reached.reset_coords(drop=True)
    summary = summary.assign_coords(accuracy=list(thresholds))
    return summary.assign_attrs(share=share, level=level)


def at_the_fastest(
    exponent: xr.DataArray, accuracy: xr.DataArray, threshold: float, onset: xr.Dataset, level: float
) -> xr.Dataset:
    """`ratio`, fastest η over η_c, and `exponent` at the fastest η; a resample of the seeds finds both η anew."""
    cells = xr.Dataset({"exponent": exponent, "time": stats.first_passage(accuracy, threshold)["restricted_time"]})
    first = (stats.mean_interval(exponent)["low"] > level).argmax("learning_rate")
    last = float(np.log(exponent["learning_rate"].values.max()))

    def statistic(cells: xr.Dataset) -> xr.DataArray:
        mean = cells["exponent"].mean("seed", skipna=False)
        at = cells["time"].mean("seed").argmin("learning_rate")
        log_fastest = xr.ufuncs.log(cells["learning_rate"].isel(learning_rate=at)).drop_vars("learning_rate")
        log_onset = stats.crossing(mean, first, level=level).clip(max=last)
        there = mean.isel(learning_rate=at).drop_vars("learning_rate")
        return xr.concat([log_fastest - log_onset, there], "quantity", coords="minimal")

    ends = stats.bootstrap(statistic, cells)
    ratio, there = np.exp(ends.isel(quantity=0)).where(bool(onset["found"])), ends.isel(quantity=1)
    parts = {"ratio": ratio, "exponent": there}
    return xr.Dataset({f"{name}{end}": part[key] for name, part in parts.items() for end, key in ENDS.items()})


def crossing(mean: xr.DataArray, level: float, first: float) -> xr.DataArray:
    """ln η of the last rise through `level` up to the first mean above it from `first` on, as in `stats.onset`."""
    log_eta = xr.ufuncs.log(mean["learning_rate"])
    leaves = (mean > level) & (mean["learning_rate"] >= first)
    limit = xr.where(leaves, log_eta, np.inf).min("learning_rate")
    before, log_before = mean.shift(learning_rate=1), log_eta.shift(learning_rate=1)
    rises = (before <= level) & (mean > level) & (log_eta <= limit)
    step = (level - before) / (mean - before).where(rises)
    location = (log_before + step * (log_eta - log_before)).max("learning_rate").fillna(log_eta[0])
    return location.where(np.isfinite(limit), log_eta[-1]).drop_vars("learning_rate", errors="ignore")


def chaotic(row: xr.Dataset, level: float) -> float:
    """1 where the interval of the exponent lies above `level`, 0 where it lies below, else NaN."""
    above = findings.above(row, level, "exponent")
    return np.nan if above is None else float(above)


def answers(chaotic: xr.DataArray) -> list[str]:
    return [UNDECIDED if np.isnan(value) else YES if value else NO for value in chaotic.values]


def found(summary: xr.Dataset, groups: Mapping[str, Sequence[str]]) -> list[findings.Finding]:
    level, found = summary.attrs["level"], []
    for group, cases in groups.items():
        rows = summary.isel(case=np.flatnonzero(np.isin(summary["case"], list(cases))))
        if not rows.sizes["case"]:
            continue
        verdicts = dict(zip(rows["case"].values, answers(rows["chaotic"]), strict=True))
        exceptions = [f"{case}: {answer}" for case, answer in verdicts.items() if answer != YES]
        holds = False if NO in verdicts.values() else None if exceptions else True
        ours = f"{len(verdicts) - len(exceptions)} of {len(verdicts)} cases; λ {span(rows['exponent'])} nats/step"
        quantity = f"the fastest η has λ > {level:g}: {group}"
        found.append(findings.claim("robustness", quantity, "yes", ours, holds, ", ".join(exceptions)))
    found.append(findings.beyond("robustness", "fastest η over η_c, median [range] of cases", span(summary["ratio"])))
    gains = int((summary["speed_up_low"] > 1).sum())
    losses = int((summary["speed_up_high"] < 1).sum())
    defined = int(summary["speed_up_low"].notnull().sum())
    ours = f"faster in {gains}, slower in {losses} of {defined} cases with an interval; {span(summary['speed_up'])}"
    found.append(findings.beyond("robustness", "best η from η_c on against the best below, times as fast", ours))
    return found


def figure(summary: xr.Dataset) -> Figure:
    """Cases down the page: η_c and the fastest η; the exponent there; the speed-up. Coloured by the verdict."""
    level, share = summary.attrs["level"], summary.attrs["share"]
    count = summary.sizes["case"]
    figure = Figure(figsize=(12, 1.6 + 0.34 * count), layout="constrained")
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=(1.5, 1, 1))
    at = np.arange(count)
    colours = [COLOURS[answer] for answer in answers(summary["chaotic"])]
    _points(left, summary, "onset", at - 0.13, ["black"] * count, "|")
    _points(left, summary, "fastest", at + 0.13, colours, "o")
    _points(middle, summary, "exponent", at, colours, "o")
    _points(right, summary, "speed_up", at, colours, "o")
    left.set(xscale="log", xlabel="learning rate η")
    middle.axvline(level, color="black", linewidth=0.8, linestyle="--")
    middle.axvline(0, color="black", linewidth=0.8)
    middle.set_xlabel("λ at the fastest η (nats/step)")
    right.axvline(1, color="black", linewidth=0.8)
    right.set(xscale="log", xlabel="speed-up over the best η below η_c")
    labels = zip(summary.attrs["labels"].values(), summary["threshold"].values, strict=True)
    left.set_yticks(at, [f"{label} ({threshold:.2f})" for label, threshold in labels], fontsize="small")
    left.set_ylim(count - 0.5, -0.5)
    for ax in (left, right):
        ax.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter=NullFormatter())
    for ax in (left, middle, right):
        ax.grid(axis="y", linewidth=0.3)
    marks = [Line2D([], [], color="black", marker="|", label="onset η_c")]
    marks += [
        Line2D([], [], color=colour, marker="o", label=f"fastest η; λ > {level:g} there: {answer}")
        for answer, colour in COLOURS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize="small")
    title = f"training time to {share:.0%} of the best mean test accuracy of any η of the case (in brackets)"
    figure.suptitle(f"{title}; {_seeds(summary)} seeds, 95 % intervals", fontsize="small")
    return figure


def _points(ax: Axes, summary: xr.Dataset, name: str, at: np.ndarray, colours: Sequence[str], marker: str) -> None:
    value, low, high = (summary[f"{name}{end}"].values for end in ENDS)
    for row in map(int, np.flatnonzero(np.isfinite(value))):
        ax.plot(value[row], at[row], marker, color=colours[row], markersize=5)
        if np.isfinite([low[row], high[row]]).all():
            ax.plot([low[row], high[row]], [at[row], at[row]], color=colours[row], linewidth=1.5)


def text(summary: xr.Dataset, skipped: Sequence[str]) -> str:
    """What the picture shows, the table of all cases, and what was left out."""
    level, share = summary.attrs["level"], summary.attrs["share"]
    given = answers(summary["chaotic"])
    cases, fixed = summary["case"].values, ", ".join(f"{threshold:g}" for threshold in summary["accuracy"].values)
    lines = [
        f"λ is the tangent's exponent in the steepest window of the ensemble, and η_c where its mean rises through "
        f"{level:g} nats/step. Training ends at {share:.0%} of the best test accuracy that any η of the case reaches "
        f"in the mean over its {_seeds(summary)} seeds, the same rule for all. The fastest η has λ above {level:g} "
        f"in {given.count(YES)} of {len(given)} cases and below it in {given.count(NO)}; {given.count(UNDECIDED)} "
        f"cannot be told. Fastest η over η_c, median [range] of the cases: {span(summary['ratio'])}. Speed of the best "
        f"η from η_c on over that of the best below: {span(summary['speed_up'])}; the interval lies above 1 in "
        f"{int((summary['speed_up_low'] > 1).sum())} cases and below it in "
        f"{int((summary['speed_up_high'] < 1).sum())}.",
        f"At the fastest η the windows begin at step {span(summary['window_start'])} and end at "
        f"{span(summary['window_stop'])}, and training takes {span(summary['training_time'])} steps: a window is 30 "
        "steps or longer, so where training is faster than that λ includes steps after it.",
        "",
        f"| case | accuracy | η_c | fastest η | ratio | steps | λ there (nats/step) | speed-up | λ > {level:g} | "
        f"at {fixed} |",
        "|" + "---|" * 10,
        *[_row(summary.isel(case=row), label) for row, label in enumerate(summary.attrs["labels"].values())],
        "",
        "The last column asks the same with training ended at fixed accuracies; – where no η brings all seeds there.",
    ]
    notes = {
        "The speed-up is a lower bound (≥) where some seeds of the best η below η_c do not get there": cases[
            (summary["non_chaotic_reached"] < 1).values
        ],
        "The fastest η is the first or the last of the grid": cases[summary["at_the_end"].values],
        "Skipped, since the data set is not prepared": skipped,
    }
    lines += [f"{note}: {', '.join(names)}." for note, names in notes.items() if len(names)]
    return "\n".join(lines)


def _row(row: xr.Dataset, label: str) -> str:
    names = ("onset", "fastest", "ratio", "training_time", "exponent", "speed_up")
    onset, fastest, ratio, steps, exponent, gain = (findings.shown(row, name) for name in names)
    onset = f"≤ {onset}" if bool(row["censored"]) else onset
    gain = f"≥ {gain}" if float(row["non_chaotic_reached"]) < 1 and bool(row["speed_up"].notnull()) else gain
    reached = row["fixed_reached"].values
    fixed = [answer if there else "–" for answer, there in zip(answers(row["fixed"]), reached, strict=True)]
    cells = [label, f"{float(row['threshold']):.2f}", onset, fastest, ratio, steps, exponent, gain]
    return "| " + " | ".join([*cells, *answers(row["chaotic"].expand_dims("case")), ", ".join(fixed)]) + " |"


def _seeds(summary: xr.Dataset) -> str:
    least, most = int(summary["seeds"].min()), int(summary["seeds"].max())
    return f"{least}" if least == most else f"{least} to {most}"


def span(values: xr.DataArray) -> str:
    """Median and range of a number over the cases that have it."""
    known = values.values[np.isfinite(values.values)]
    return f"{np.median(known):.3g} [{known.min():.3g}, {known.max():.3g}]" if len(known) else "none"
