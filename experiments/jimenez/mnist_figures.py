"""Exponents and training time over η, divergence with its fitted windows, ensemble against tangent."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import stats
from chaosjax.plotting._edge_of_chaos import band, shade

LINES = {
    "steepest": ("tab:red", "-"),
    "steepest_tangent": ("tab:red", ":"),
    "kept": ("tab:blue", "-"),
    "kept_tangent": ("tab:blue", ":"),
    "short": ("tab:green", "-"),
    "short_tangent": ("tab:green", ":"),
    "fit": ("tab:cyan", "-"),
    "fit_tangent": ("tab:cyan", ":"),
    "whole": ("0.35", "-"),
}
"""Colour and line of each fitting rule."""

SELECTIONS = {"steepest": ("slope", "tab:red"), "straightest": ("r2", "tab:blue")}
"""Which window of `stats.exponential_window`, and its colour."""


def rates(summary: xr.Dataset, rules: Mapping[str, str], title: str) -> Figure:
    """λ(η) by every rule, and the mean training time below it; open marks are lower bounds."""
    figure = Figure(figsize=(7.5, 8), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(1.3, 1))
    for name, label in rules.items():
        colour, line = LINES[name]
        band(above, summary, name, colour=colour, label=label, linestyle=line)
    above.axhline(0, color="black", linewidth=0.8)
    above.axhline(summary.attrs["level"], color="black", linewidth=0.6, linestyle="--")
    shown = np.concatenate([[0, 1.5 * summary.attrs["level"]], *(summary[name].values for name in rules)])
    low, high = np.nanmin(shown), np.nanmax(shown)
    above.set_ylim(min(-0.1 * high, 1.2 * low), 1.2 * high)
    above.set_ylabel("exponent λ (nats/step)")
    above.legend(fontsize="x-small", loc="upper left", title=f"dashed: {summary.attrs['level']:g}", title_fontsize=7)
    eta, horizon = summary["learning_rate"].values, summary.attrs["horizon"]
    for value, colour in zip(summary["threshold"].values, ("tab:green", "tab:orange", "tab:purple"), strict=False):
        row = summary.sel(threshold=value)
        censored = row["censored"].values
        band(below, row, "training_time", colour=colour, label=f"to {value:.0%} test accuracy")
        time = row["training_time"].values
        below.plot(eta[censored], time[censored], "o", color=colour, markerfacecolor="white", markersize=6, zorder=3)
    below.plot([], [], "o", color="0.4", markerfacecolor="white", label="a lower bound: not every seed got there")
    below.set(xscale="log", xlabel="learning rate η", ylabel="mean training time (steps)", ylim=(0, 1.1 * horizon))
    below.axhline(horizon, color="black", linewidth=0.6, linestyle="--")
    below.legend(fontsize="x-small", loc="lower left")
    for ax in (above, below):
        shade(ax, summary)
        ax.margins(x=0.02)
    onset, first, last = (float(summary[f"onset{end}"]) for end in ("", "_low", "_high"))
    found = f"η_c = {onset:.3g} [{first:.3g}, {last:.3g}], chaotic range shaded" if np.isfinite(onset) else "no onset"
    figure.suptitle(f"{title}\n{found}; bands: 95 %", fontsize="small")
    return figure


def spread(eta: np.ndarray, count: int = 6) -> list[float]:
    """A few learning rates: the first of the grid, and others evenly over its upper part, where something happens."""
    upper = eta[1:][-2 * count + 1 :]
    chosen = upper[np.unique(np.linspace(0, len(upper) - 1, count - 1).round().astype(int))] if upper.size else upper
    return [float(eta[0]), *map(float, chosen)]


def curves(distance: xr.DataArray, title: str) -> Figure:
    """d(t) of each initialisation at several η, with the straightest and the steepest window of each."""
    etas = spread(distance["learning_rate"].values)
    rows = -(-len(etas) // 3)
    figure = Figure(figsize=(10, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, min(3, len(etas)), sharex=True, sharey=True, squeeze=False)
    for ax in panels.ravel()[len(etas) :]:
        ax.set_visible(False)
    fits = {name: stats.exponential_window(distance, select=select) for name, (select, _) in SELECTIONS.items()}
    for ax, eta in zip(panels.ravel(), etas, strict=False):
        cells = distance.sel(learning_rate=eta).mean("copy", skipna=False)
        ax.plot(cells["time"], cells.where(cells > 0).transpose("time", "seed"), color="0.55", linewidth=0.8)
        for name, (_, colour) in SELECTIONS.items():
            _windows(ax, cells, fits[name].sel(learning_rate=eta), colour)
        mean = float(fits["steepest"]["exponent"].sel(learning_rate=eta).mean())
        ax.set_title(f"η = {eta:g}; Λ steepest {mean:.2g}", fontsize="small")
        ax.set_yscale("log")
    for ax in panels[-1]:
        ax.set_xlabel("time t (steps)")
    for ax in panels[:, 0]:
        ax.set_ylabel(f"d(t) ({distance.attrs.get('norm', '').upper()})")
    for name, (_, colour) in SELECTIONS.items():
        panels[0, 0].plot([], [], color=colour, linewidth=2, label=f"{name} window")
    panels[0, 0].plot([], [], color="0.55", label="each initialisation")
    panels[0, 0].legend(fontsize="x-small", loc="upper left")
    figure.suptitle(title, fontsize="small")
    return figure


def _windows(ax: Axes, cells: xr.DataArray, fit: xr.Dataset, colour: str) -> None:
    """The fitted straight line of each seed over its window, through the window's mean of ln d."""
    for seed in cells["seed"].values:
        start, stop, slope = (float(fit[name].sel(seed=seed)) for name in ("start", "stop", "exponent"))
        if np.isnan(slope):
            continue
        time = cells["time"].sel(time=slice(start, stop)).values
        log_d = np.log(cells.sel(seed=seed, time=slice(start, stop)).values)
        ax.plot(time, np.exp(log_d.mean() + slope * (time - time.mean())), color=colour, linewidth=1.8, alpha=0.7)


def agreement(pairs: Mapping[str, xr.Dataset], title: str) -> Figure:
    """Ensemble against tangent over η in each kind of numbers, and the cells of one kind against the other's."""
    figure = Figure(figsize=(4.2 * (len(pairs) + 1), 3.9), layout="constrained")
    panels = figure.subplots(1, len(pairs) + 1)
    for ax, (name, cells) in zip(panels, pairs.items(), strict=False):
        for entry, colour, line in (("ensemble", "tab:blue", "-"), ("tangent", "tab:red", "--")):
            interval = stats.mean_interval(cells[entry]).rename(
                estimate=entry, low=f"{entry}_low", high=f"{entry}_high"
            )
            band(ax, interval, entry, colour=colour, label=f"{entry}, steepest window", linestyle=line)
        agreed = stats.agreement(cells["ensemble"], cells["tangent"], pool=("learning_rate",))
        gap, low, high = (float(agreed[f"difference{end}"]) for end in ("", "_low", "_high"))
        ax.set_title(f"{name}: ensemble − tangent {gap:.2g} [{low:.2g}, {high:.2g}]", fontsize="small")
        ax.set(xscale="log", xlabel="learning rate η", ylabel="exponent λ (nats/step)")
        eta = cells["learning_rate"].values
        ax.set_xlim(eta[0] / 1.3, eta[-1] * 1.3)
        ax.axhline(0, color="black", linewidth=0.6)
        ax.legend(fontsize="x-small", loc="upper left")
    _against(panels[-1], pairs)
    figure.suptitle(f"{title}; bands: 95 %", fontsize="small")
    return figure


def _against(ax: Axes, pairs: Mapping[str, xr.Dataset]) -> None:
    if len(pairs) < 2:
        ax.set_title("one kind of numbers only", fontsize="small")
        return
    (first, one), (second, other) = list(pairs.items())[:2]
    ends = []
    for entry, colour, label in (
        ("ensemble", "tab:blue", "ensemble, steepest window"),
        ("whole", "0.35", "tangent, whole run"),
    ):
        x, y = one[entry].values.ravel(), other[entry].values.ravel()
        ax.plot(x, y, "o", color=colour, markersize=3.5, alpha=0.7, label=label)
        ends.extend(np.concatenate([x, y])[np.isfinite(np.concatenate([x, y]))])
    if ends:
        ax.plot([min(ends), max(ends)], [min(ends), max(ends)], color="black", linewidth=0.6)
    ax.set(xlabel=f"λ in {first} (nats/step)", ylabel=f"λ in {second} (nats/step)")
    ax.set_title("each cell; line: equal", fontsize="small")
    ax.legend(fontsize="x-small", loc="upper left")
