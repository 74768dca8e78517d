"""Does the fastest learning rate lie in the chaotic range? Asked of every case alike (Jiménez-González et al. 2026)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown, panels

YES, NO, UNDECIDED = "yes", "no", "undecided"
COLOURS = {YES: "C3", NO: "C0", UNDECIDED: "0.5"}


def summarise(
    datasets: Mapping[str, xr.Dataset],
    groups: Mapping[str, Sequence[str]],
    share: float,
    level: float,
    thresholds: Sequence[float],
) -> xr.Dataset:
    """Ask the question of every case, along ``case``.

    Args:
        groups: the cases that each part of the claim rests on.
        share: training ends at this share of the best test accuracy that any learning rate reaches in the mean.
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
        thresholds: fixed test accuracies at which the question is asked again.
    """
    listed = [case for cases in groups.values() for case in cases]
    order = [case for case in dict.fromkeys([*listed, *datasets]) if case in datasets]
    rows = [_case(datasets[case], share, level, thresholds) for case in order]
    names = xr.DataArray(np.array(order, dtype=object), dims="case", name="case")
    summary = xr.concat(rows, names, coords="minimal", compat="override")
    configs = {case: provenance_of(datasets[case])["config"] for case in order}
    return summary.assign_attrs({"labels": [configs[case].get("label", case) for case in order]})


def _case(dataset: xr.Dataset, share: float, level: float, thresholds: Sequence[float]) -> xr.Dataset:
    """One case: η_c, the fastest η, their ratio, the exponent there and the speed-up, each with its interval.

    λ is the tangent's exponent in the steepest window of the ensemble, η_c its `stats.onset` at `level`. The verdict
    on "the fastest η is chaotic" is *yes* where the interval of λ there lies above `level`, *no* where it lies below.
    """
    accuracy = dataset["test_accuracy"]
    fit = stats.exponential_window(dataset["distance"], select="slope")
    exponent = stats.tangent_in_windows(dataset["growth"], fit)
    best = float(accuracy.mean("seed", skipna=False).max())
    onset = stats.onset(exponent, level=level)
    fastest = stats.fastest(accuracy, share * best)
    gain = stats.speed_up(accuracy, onset["onset"], share * best)
    there = at_the_fastest(exponent, accuracy, share * best, onset, level)
    parts = [onset, fastest.rename(censored="fastest_censored", reached_fraction="fastest_reached"), gain, there]
    parts = [part.drop_attrs(deep=False).drop_vars("found", errors="ignore").reset_coords(drop=True) for part in parts]
    summary = xr.merge(parts).assign(best=best, threshold=share * best, seeds=dataset.sizes["seed"])
    grid, at = dataset["learning_rate"].values, stats.bounds(fastest["fastest"])[0]
    summary = summary.assign(chaotic=chaotic(there, level), at_the_end=bool(float(at) in (grid[0], grid[-1])))
    for name in ("start", "stop"):
        window = fit[name].mean("seed").sel(learning_rate=at, method="nearest")
        summary[f"window_{name}"] = window.reset_coords(drop=True)
    fixed = [at_the_fastest(exponent, accuracy, threshold, onset, level) for threshold in thresholds]
    at_fixed = xr.DataArray(list(thresholds), dims="accuracy")
    reached = ~stats.fastest(accuracy, at_fixed, resampling=stats.Resampling(resamples=1))["censored"]
    summary["fixed"] = ("accuracy", [chaotic(there, level) for there in fixed])
    summary["fixed_reached"] = reached.reset_coords(drop=True)
    return summary.assign_coords(accuracy=list(thresholds))


def at_the_fastest(
    exponent: xr.DataArray, accuracy: xr.DataArray, threshold: float, onset: xr.Dataset, level: float
) -> xr.Dataset:
    """`ratio`, fastest η over η_c, and `exponent` at the fastest η; a resample of the seeds finds both η anew."""
    cells = xr.Dataset({"exponent": exponent, "time": stats.first_passage(accuracy, threshold)["restricted_time"]})
    first = (stats.bounds(stats.mean_interval(exponent))[1] > level).argmax("learning_rate")
    last = float(exponent["learning_rate"].max())

    def statistic(cells: xr.Dataset) -> xr.DataArray:
        mean = cells["exponent"].mean("seed", skipna=False)
        at = cells["time"].mean("seed").argmin("learning_rate")
        log_fastest = xr.ufuncs.log(cells["learning_rate"].isel(learning_rate=at)).drop_vars("learning_rate")
        log_onset = xr.ufuncs.log(stats.crossing(mean, first, level=level).clip(max=last))
        there = mean.isel(learning_rate=at).drop_vars("learning_rate")
        return xr.concat([log_fastest - log_onset, there], "quantity", coords="minimal")

    both = stats.bootstrap(statistic, cells)
    ratio = xr.ufuncs.exp(both.isel(quantity=0)).where(bool(onset["found"]))
    return xr.Dataset({"ratio": ratio, "exponent": both.isel(quantity=1)})


def chaotic(row: xr.Dataset, level: float) -> float:
    """1 where the interval of the exponent lies above `level`, 0 where it lies below, else NaN."""
    above = stats.above(row["exponent"], level)
    return np.nan if above is None else float(above)


def answers(chaotic: xr.DataArray) -> list[str]:
    return [UNDECIDED if np.isnan(value) else YES if value else NO for value in chaotic.values]


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    level, found = summary.attrs["level"], []
    exponent, ratio = (stats.bounds(summary[name])[0] for name in ("exponent", "ratio"))
    for group, cases in summary.attrs["groups"].items():
        chosen = {"case": np.flatnonzero(np.isin(summary["case"].values.astype(str), list(cases)))}
        if not len(chosen["case"]):
            continue
        rows = summary.isel(chosen)
        verdicts = dict(zip(rows["case"].values, answers(rows["chaotic"]), strict=True))
        exceptions = [f"{case}: {answer}" for case, answer in verdicts.items() if answer != YES]
        holds = False if NO in verdicts.values() else None if exceptions else True
        ours = f"{len(verdicts) - len(exceptions)} of {len(verdicts)} cases; λ {span(exponent.isel(chosen))} nats/step"
        quantity = f"the fastest η has λ > {level:g}: {group}"
        found.append(claim("robustness", quantity, "yes", ours, holds, ", ".join(exceptions)))
    found.append(beyond("robustness", "fastest η over η_c, median [range] of cases", span(ratio)))
    gain, low, high = stats.bounds(summary["speed_up"])
    counts = f"faster in {int((low > 1).sum())}, slower in {int((high < 1).sum())} of {int(low.notnull().sum())}"
    ours = f"{counts} cases with an interval; {span(gain)}"
    found.append(beyond("robustness", "best η from η_c on against the best below, times as fast", ours))
    return found


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Cases down the page: η_c and the fastest η; the exponent there; the speed-up. Coloured by the verdict."""
    level, share = summary.attrs["level"], summary.attrs["share"]
    count = summary.sizes["case"]
    figure, axes = panels(1, 3, (12, 1.6 + 0.34 * count), sharey=True, width_ratios=(1.5, 1, 1))
    left, middle, right = axes
    at = np.arange(count)
    colours = [COLOURS[answer] for answer in answers(summary["chaotic"])]
    _points(left, summary["onset"], at - 0.13, ["black"] * count, "|")
    _points(left, summary["fastest"], at + 0.13, colours, "o")
    _points(middle, summary["exponent"], at, colours, "o")
    _points(right, summary["speed_up"], at, colours, "o")
    left.set(xscale="log", xlabel="learning rate η")
    middle.axvline(level, color="black", linewidth=0.8, linestyle="--")
    middle.axvline(0, color="black", linewidth=0.8)
    middle.set_xlabel("λ at the fastest η (nats/step)")
    right.axvline(1, color="black", linewidth=0.8)
    right.set(xscale="log", xlabel="speed-up over the\nbest η below η_c")
    labels = zip(summary.attrs["labels"], summary["threshold"].values, strict=True)
    left.set_yticks(at, [f"{label} ({threshold:.2f})" for label, threshold in labels])
    left.set_ylim(count - 0.5, -0.5)
    for ax in (left, right):
        ax.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}", minor_formatter=NullFormatter())
    for ax in axes:
        ax.grid(axis="y", linewidth=0.3)
    marks = [Line2D([], [], color="black", marker="|", label="onset η_c")]
    marks += [
        Line2D([], [], color=colour, marker="o", label=f"fastest η; λ > {level:g} there: {answer}")
        for answer, colour in COLOURS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=4)
    title = f"training time to {share:.0%} of the best mean test accuracy of any η of the case (in brackets)"
    figure.suptitle(f"{title}; {_seeds(summary)} seeds, 95 % intervals")
    return {"robustness": figure}


def _points(ax: Axes, interval: xr.DataArray, at: np.ndarray, colours: Sequence[str], marker: str) -> None:
    value, low, high = (part.values for part in stats.bounds(interval))
    for row in map(int, np.flatnonzero(np.isfinite(value))):
        ax.plot(value[row], at[row], marker, color=colours[row], markersize=5)
        if np.isfinite([low[row], high[row]]).all():
            ax.plot([low[row], high[row]], [at[row], at[row]], color=colours[row], linewidth=1.5)


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    given, cases = answers(summary["chaotic"]), summary["case"].values
    names = ("ratio", "speed_up", "training_time")
    spans = {name: span(stats.bounds(summary[name])[0]) for name in names}
    spans |= {name: span(summary[name]) for name in ("window_start", "window_stop")}
    _, low, high = stats.bounds(summary["speed_up"])
    level, fixed = summary.attrs["level"], ", ".join(f"{threshold:g}" for threshold in summary["accuracy"].values)
    numbers = ("accuracy", "η_c", "fastest η", "ratio", "steps", "λ there (nats/step)", "speed-up")
    header = ("case", *numbers, f"λ > {level:g}", f"at {fixed}")
    rows = [_row(summary.isel(case=row), label) for row, label in enumerate(summary.attrs["labels"])]
    skipped = [case for listed in summary.attrs["groups"].values() for case in listed if case not in datasets]
    notes = {
        "The speed-up is a lower bound (≥) where some seeds of the best η below η_c do not get there": cases[
            (summary["non_chaotic_reached"] < 1).values
        ],
        "The fastest η is the first or the last of the grid": cases[summary["at_the_end"].values],
        "Left out, since there are no finished records of them (is the data set prepared?)": skipped,
    }
    return {
        **summary.attrs,
        **spans,
        "seeds": _seeds(summary),
        "yes": given.count(YES),
        "no": given.count(NO),
        "undecided": given.count(UNDECIDED),
        "all": len(given),
        "faster": int((low > 1).sum()),
        "slower": int((high < 1).sum()),
        "table": markdown(header, rows, "l" * len(header)),
        "notes": "\n".join(f"{note}: {', '.join(names)}." for note, names in notes.items() if len(names)),
    }


def _row(row: xr.Dataset, label: str) -> list[str]:
    names = ("onset", "fastest", "ratio", "training_time", "exponent", "speed_up")
    onset, fastest, ratio, steps, exponent, gain = (stats.format_interval(row[name]) for name in names)
    onset = f"≤ {onset}" if bool(row["censored"]) else onset
    gain = f"≥ {gain}" if float(row["non_chaotic_reached"]) < 1 and bool(row["speed_up"][0].notnull()) else gain
    reached = row["fixed_reached"].values
    fixed = [answer if there else "–" for answer, there in zip(answers(row["fixed"]), reached, strict=True)]
    cells = [label, f"{float(row['threshold']):.2f}", onset, fastest, ratio, steps, exponent, gain]
    return [*cells, *answers(row["chaotic"].expand_dims("case")), ", ".join(fixed)]


def _seeds(summary: xr.Dataset) -> str:
    least, most = int(summary["seeds"].min()), int(summary["seeds"].max())
    return f"{least}" if least == most else f"{least} to {most}"


def span(values: xr.DataArray) -> str:
    """Median and range of a number over the cases that have it."""
    known = values.values[np.isfinite(values.values)]
    return f"{np.median(known):.3g} [{known.min():.3g}, {known.max():.3g}]" if len(known) else "none"


report = Experiment(summarise, figures, findings, words)
