"""Exponents and training time over η, divergence with its fitted windows, ensemble against tangent."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import stats
from chaosjax.plotting import band, shade_chaos
from experiments import panels

LINES = {
    "steepest": ("C3", "-"),
    "steepest_tangent": ("C3", ":"),
    "kept": ("C0", "-"),
    "kept_tangent": ("C0", ":"),
    "short": ("C2", "-"),
    "short_tangent": ("C2", ":"),
    "fit": ("C5", "-"),
    "fit_tangent": ("C5", ":"),
    "whole": ("0.35", "-"),
}
"""Colour and line of each fitting rule."""

DRAWN = ("steepest", "steepest_tangent", "kept", "fit", "whole")
"""The rules that the figure shows; the page tells of all."""

SELECTIONS = {"steepest": ("slope", "C3"), "straightest": ("r2", "C0")}
"""Which window of `stats.exponential_window`, and its colour."""


def rates(summary: xr.Dataset, rules: Mapping[str, str], title: str) -> Figure:
    """λ(η) by every rule, and the mean training time below it; open marks are lower bounds."""
    figure, (above, below) = panels(2, 1, (7.5, 8), sharex=True, height_ratios=(1.3, 1))
    eta, horizon = summary["learning_rate"].values, summary.attrs["horizon"]
    for name in DRAWN:
        label = rules[name]
        colour, line = LINES[name]
        opacity = 0.08 if line == ":" else 0.2
        band(above, eta, summary[name], colour=colour, label=label, linestyle=line, opacity=opacity)
    above.axhline(0, color="black", linewidth=0.8)
    above.axhline(summary.attrs["level"], color="black", linewidth=0.6, linestyle="--")
    shown = np.concatenate([[0, 1.5 * summary.attrs["level"]], *(stats.bounds(summary[name])[0] for name in DRAWN)])
    low, high = np.nanmin(shown), np.nanmax(shown)
    above.set_ylim(min(-0.1 * high, 1.2 * low), 1.7 * high)
    above.set_ylabel("exponent λ (nats/step)")
    above.legend(loc="upper left", title=f"dashed: {summary.attrs['level']:g}")
    for value, colour in zip(summary["threshold"].values, ("C2", "C1", "C4"), strict=False):
        row = summary.sel(threshold=value)
        censored = row["censored"].values
        band(below, eta, row["training_time"], colour=colour, label=f"to {value:.0%} test accuracy")
        time = stats.bounds(row["training_time"])[0].values
        below.plot(eta[censored], time[censored], "o", color=colour, markerfacecolor="white", markersize=6, zorder=3)
    below.plot([], [], "o", color="0.4", markerfacecolor="white", label="a lower bound: not every seed got there")
    below.set(xscale="log", xlabel="learning rate η", ylabel="mean training time (steps)", ylim=(0, 1.65 * horizon))
    below.axhline(horizon, color="black", linewidth=0.6, linestyle="--")
    below.legend(loc="upper left")
    for ax in (above, below):
        shade_chaos(ax, summary)
        ax.margins(x=0.02)
    onset = summary["onset"]
    known = bool(np.isfinite(stats.bounds(onset)[0]))
    found = f"η_c = {stats.format_interval(onset)}, chaotic range shaded" if known else "no onset"
    figure.suptitle(f"{title}\n{found}; bands: 95 %")
    return figure


def spread(eta: np.ndarray, count: int = 6) -> list[float]:
    """A few learning rates: the first of the grid, and others evenly over its upper part, where something happens."""
    upper = eta[1:][-2 * count + 1 :]
    chosen = upper[np.unique(np.linspace(0, len(upper) - 1, count - 1).round().astype(int))] if upper.size else upper
    return [float(eta[0]), *map(float, chosen)]


def curves(distance: xr.DataArray, title: str) -> Figure:
    """d(t) of each initialisation at several η, with the straightest and the steepest window of each."""
    etas = spread(distance["learning_rate"].values)
    rows, columns = -(-len(etas) // 3), min(3, len(etas))
    figure, axes = panels(rows, columns, (10, 3.0 * rows), sharex=True, sharey=True)
    for ax in axes[len(etas) :]:
        ax.set_visible(False)
    fits = {name: stats.exponential_window(distance, select=select) for name, (select, _) in SELECTIONS.items()}
    for ax, eta in zip(axes, etas, strict=False):
        cells = stats.mean_over_copies(distance.sel(learning_rate=eta))
        ax.plot(cells["time"], cells.where(cells > 0).transpose("time", "seed"), color="0.55", linewidth=0.8)
        for name, (_, colour) in SELECTIONS.items():
            _windows(ax, cells, fits[name].sel(learning_rate=eta), colour)
        mean = float(fits["steepest"]["exponent"].sel(learning_rate=eta).mean())
        ax.set_title(f"η = {eta:g}; Λ steepest {mean:.2g}")
        ax.set_yscale("log")
    for ax in axes[-columns:]:
        ax.set_xlabel("time t (steps)")
    for ax in axes[::columns]:
        ax.set_ylabel(f"d(t) ({distance.attrs.get('norm', '').upper()})")
    for name, (_, colour) in SELECTIONS.items():
        axes[0].plot([], [], color=colour, linewidth=2, label=f"{name} window")
    axes[0].plot([], [], color="0.55", label="each initialisation")
    axes[0].legend(loc="upper left")
    figure.suptitle(title)
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
    figure, axes = panels(1, len(pairs) + 1, (4.2 * (len(pairs) + 1), 3.9))
    for ax, (name, cells) in zip(axes, pairs.items(), strict=False):
        for entry, colour, line in (("ensemble", "C0", "-"), ("tangent", "C3", "--")):
            interval, label = stats.mean_interval(cells[entry]), f"{entry}, steepest window"
            band(ax, cells["learning_rate"], interval, colour=colour, label=label, linestyle=line)
        agreed = stats.agreement(cells["ensemble"], cells["tangent"], pool=("learning_rate",))
        gap = stats.format_interval(agreed["difference"])
        ax.set_title(f"{name}: ensemble − tangent\n{gap}")
        ax.set(xscale="log", xlabel="learning rate η", ylabel="exponent λ (nats/step)")
        eta = cells["learning_rate"].values
        ax.set_xlim(eta[0] / 1.3, eta[-1] * 1.3)
        ax.axhline(0, color="black", linewidth=0.6)
        ax.legend(loc="upper left")
    ends = np.array([ax.get_ylim() for ax in axes[:-1]])
    for ax in axes[:-1]:
        ax.set_ylim(ends[:, 0].min(), ends[:, 1].max())
    _against(axes[-1], pairs)
    figure.suptitle(f"{title}; bands: 95 %")
    return figure


def _against(ax: Axes, pairs: Mapping[str, xr.Dataset]) -> None:
    if len(pairs) < 2:
        ax.set_title("one kind of numbers only")
        return
    (first, one), (second, other) = list(pairs.items())[:2]
    ends = []
    for entry, colour, label in (
        ("ensemble", "C0", "ensemble, steepest window"),
        ("whole", "0.35", "tangent, whole run"),
    ):
        x, y = one[entry].values.ravel(), other[entry].values.ravel()
        ax.plot(x, y, "o", color=colour, markersize=3.5, alpha=0.7, label=label)
        ends.extend(np.concatenate([x, y])[np.isfinite(np.concatenate([x, y]))])
    if ends:
        ax.plot([min(ends), max(ends)], [min(ends), max(ends)], color="black", linewidth=0.6)
    ax.set(xlabel=f"λ in {first} (nats/step)", ylabel=f"λ in {second} (nats/step)")
    ax.set_title("each cell; line: equal")
    ax.legend(loc="upper left")
