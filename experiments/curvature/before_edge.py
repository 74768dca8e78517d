"""Does the chaotic transient come before the edge of stability? λ(t) and sharpness·η/2 on one time axis."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from chaosjax import plotting, provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown, panels

PRECEDES, COINCIDES, FOLLOWS, UNDECIDED, NEITHER = "precedes", "coincides", "follows", "undecided", "–"


def summarise(datasets: Mapping[str, xr.Dataset], level: float, window: int, settled: float) -> xr.Dataset:
    """Compare, by case and learning rate, when training is chaotic with when its sharpness is at the edge.

    Args:
        level: exponent in nats per step above which a window counts as chaotic.
        window: its length in steps, a multiple of the records' stride and of the steps between sharpness readings.
        settled: training has settled at the edge from where on sharpness·η/2 differs from 1 by at most this.
    """
    cases = list(datasets)
    rows = [_case(datasets[case], level, window, settled) for case in cases]
    labels = [provenance_of(datasets[case])["config"]["label"] for case in cases]
    names = xr.DataArray(np.array(cases, dtype=object), dims="case", name="case")
    return xr.concat(rows, names, coords="minimal", compat="override").assign_attrs(labels=labels)


def _case(dataset: xr.Dataset, level: float, window: int, settled: float) -> xr.Dataset:
    """Means over seeds, ``[rate]``: times in steps, exponents in nats per step."""
    growth = stats.first_exponent(dataset["growth"])
    # before the first handover frames are young, and what they show is too small, if anything
    young = dataset["time"] <= growth.attrs["reseed_steps"]
    growth = growth.where(stats.first_exponent(dataset["growth_known"]).astype(bool) | young)
    exponent = stats.window_exponents(growth, window).transpose(..., "window_end")
    ratio = dataset["sharpness"].isel(eigenvalue=0, drop=True) * dataset["learning_rate"] / 2
    ratio = ratio.sel(time=np.r_[0, exponent["window_end"].values]).transpose(..., "time")
    chaotic, above = exponent > level, ratio >= 1
    begins = _first(chaotic, "window_end") - window
    crosses = _first(above, "time")
    near = abs(ratio - 1) <= settled
    stays = near[..., ::-1].cumprod("time")[..., ::-1].astype(bool)
    ended = chaotic["window_end"].where(chaotic).max("window_end")
    either = above | above.shift(time=1, fill_value=False)
    either = either.isel(time=slice(1, None)).rename(time="window_end")
    measured = exponent.notnull()
    logs = xr.ufuncs.log(ratio.where(ratio > 0))
    there = logs.isel(time=slice(1, None)).rename(time="window_end")
    means = {
        "exponent": exponent,
        "ratio": logs,
        "lead": crosses - begins,
        "inside": there.where(chaotic).mean("window_end"),
        "above_in_chaos": either.where(chaotic).mean("window_end"),
        "above_in_calm": either.where(measured & ~chaotic).mean("window_end"),
        "begins": begins,
        "crosses": crosses,
        "ends": ended,
        "settles": _first(stays, "time"),
        "before_settling": _first(stays, "time") - ended,
    }
    summary = xr.Dataset({name: stats.mean_interval(cells, skipna=True) for name, cells in means.items()})
    for name in ("ratio", "inside"):  # geometric means
        summary[name] = xr.ufuncs.exp(summary[name])
    for name in ("above_in_chaos", "above_in_calm"):
        summary[name] = summary[name].clip(0, 1)
    summary["chaotic"] = stats.fraction(chaotic.any("window_end"))
    summary["reaches"] = stats.fraction(above.any("time"))
    summary["settled"] = stats.fraction(stays.any("time"))
    summary["above_at_start"] = stats.fraction(above.isel(time=0, drop=True))
    summary["learned"] = stats.mean_interval(dataset["test_accuracy"].isel(time=-1, drop=True), skipna=True)
    rates = summary["learning_rate"].values
    return summary.rename(learning_rate="rate").drop_vars("rate").assign(learning_rate=("rate", rates))


def _first(flag: xr.DataArray, dim: str) -> xr.DataArray:
    """The first time at which it is true; NaN where it never is."""
    return flag[dim].where(flag).min(dim)


def order_of(lead: xr.DataArray, resolution: float) -> str:
    """What the interval ``[bound]`` of the crossing's time less that of chaos says, to a resolution in steps."""
    estimate, low, high = map(float, stats.bounds(lead))
    if np.isnan(estimate):
        return NEITHER
    if np.isnan([low, high]).any():
        return UNDECIDED
    if low > resolution:
        return PRECEDES
    if high < -resolution:
        return FOLLOWS
    return COINCIDES if low >= -resolution and high <= resolution else UNDECIDED


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    window, found = summary.attrs["window"], []
    for case, label in zip(summary["case"].values, summary.attrs["labels"], strict=True):
        rows = summary.sel(case=case)
        usable = (stats.bounds(rows["chaotic"])[0] > 0.5) & (stats.bounds(rows["reaches"])[0] > 0.5)
        orders = {float(row["learning_rate"]): order_of(row["lead"], window) for row in _rates(rows, usable)}
        given = list(orders.values())
        ours = ", ".join(f"{order} at {_rates_in_words(orders, order)}" for order in dict.fromkeys(given))
        holds = None if not given or UNDECIDED in given else set(given) == {PRECEDES}
        at_start = stats.bounds(rows["above_at_start"])[0].where(usable).min()
        note = "no η with chaos that reaches the edge" if not given else ""
        note = note or ("" if holds or at_start < 1 else "sharpness is above 2/η from the first step on")
        found.append(claim("time", f"chaos begins before the edge: {label}", "precedes", ours, holds, note))
        for name, kind in {"above_in_chaos": "chaotic", "above_in_calm": "calm"}.items():
            shares = [stats.format_interval(row[name]) for row in _rates(rows, usable)]
            quantity = f"share of {kind} windows that begin or end above 2/η: {label}"
            found.append(beyond("time", quantity, "; ".join(shares) or "none", "not published"))
        inside = [stats.format_interval(row["inside"]) for row in _rates(rows, usable)]
        quantity = f"sharpness·η/2 at the end of chaotic windows, geometric mean: {label}"
        found.append(beyond("time", quantity, "; ".join(inside) or "none", "not published"))
        both = usable & (stats.bounds(rows["settled"])[0] > 0.5)
        gaps = [stats.format_interval(row["before_settling"], "steps") for row in _rates(rows, both)]
        quantity = f"from the end of chaos until sharpness stays at 2/η: {label}"
        found.append(
            beyond("time", quantity, "; ".join(gaps) or "it settles in no more than half of the seeds", "not published")
        )
    return found


def _rates(rows: xr.Dataset, chosen: xr.DataArray) -> list[xr.Dataset]:
    return [rows.isel(rate=int(place)) for place in np.flatnonzero(chosen.values)]


def _rates_in_words(orders: Mapping[float, str], order: str) -> str:
    return "η = " + ", ".join(f"{rate:.3g}" for rate, found in orders.items() if found == order)


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """A row per case, a panel per learning rate: λ of windows on the left axis, sharpness·η/2 on the right."""
    count, rates = summary.sizes["case"], summary.sizes["rate"]
    figure, axes = panels(count, rates, (2.6 * rates, 2.6 * count))
    for row, (case, label) in enumerate(zip(summary["case"].values, summary.attrs["labels"], strict=True)):
        own = summary.sel(case=case)
        for column in range(rates):
            ax, part = axes[row * rates + column], own.isel(rate=column)
            right = ax.twinx()
            ends, times = part["window_end"].values, part["time"].values
            known = np.isfinite(part["exponent"].sel(bound="estimate").values)
            plotting.band(ax, ends[known], part["exponent"][:, known], colour="C3", label="λ")
            known = np.isfinite(part["ratio"].sel(bound="estimate").values)
            plotting.band(right, times[known], part["ratio"][:, known], colour="C0", label="S·η/2")
            ax.axhline(summary.attrs["level"], color="C3", linewidth=0.6, linestyle=":")
            right.axhline(1, color="C0", linewidth=0.6, linestyle="--")
            right.set_yscale("log")
            ax.set_title(f"{label}\nη = {float(part['learning_rate']):.3g}", fontsize="x-small")
            ax.tick_params(labelsize="x-small")
            ax.tick_params(colors="C3", axis="y")
            right.tick_params(labelsize="x-small", colors="C0", axis="y", which="both")
            locator = LogLocator(subs=(1, 2, 5))
            right.yaxis.set(major_locator=locator, major_formatter="{x:g}", minor_formatter=NullFormatter())
            if row == count - 1:
                ax.set_xlabel("time t (steps)", fontsize="small")
            if column == 0:
                ax.set_ylabel("λ (nats/step)", color="C3", fontsize="small")
            if column == rates - 1:
                right.set_ylabel("sharpness·η/2", color="C0", fontsize="small")
    title = f"exponent of windows of {summary.attrs['window']} steps (re-seeded frames) and sharpness·η/2"
    figure.suptitle(f"{title}; means over seeds (geometric on the right), 95 % intervals", fontsize="small")
    return {"before_edge": figure}


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    rows = []
    for case, label in zip(summary["case"].values, summary.attrs["labels"], strict=True):
        own = summary.sel(case=case)
        for place in range(own.sizes["rate"]):
            row = own.isel(rate=place)
            names = (
                "chaotic",
                "begins",
                "ends",
                "reaches",
                "crosses",
                "lead",
                "above_in_chaos",
                "above_in_calm",
                "learned",
            )
            numbers = [stats.format_interval(row[name]) for name in names]
            rows.append(
                [label, f"{float(row['learning_rate']):.3g}", *numbers, order_of(row["lead"], summary.attrs["window"])]
            )
    header = (
        "case", "η", "chaotic", "begins", "ends", "reaches 2/η", "at", "later than chaos", "above it: chaotic windows",
        "calm ones", "test accuracy", "chaos",
    )  # fmt: skip
    skipped = [case for case in ("digits", "iris", "mnist") if case not in datasets]
    seeds = {case: dataset.sizes["seed"] for case, dataset in datasets.items()}
    notes = f"Left out, since its data are not prepared: {', '.join(skipped)}." if skipped else ""
    return {
        **summary.attrs,
        "table": markdown(header, rows, "l" * len(header)),
        "seeds": ", ".join(f"{case} {count}" for case, count in seeds.items()),
        "notes": notes,
    }


report = Experiment(summarise, figures, findings, words)
