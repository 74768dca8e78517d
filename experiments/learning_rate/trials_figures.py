"""The figures of the judgement: ratios by rule, and where on the grid the search landed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments import panels
from experiments.learning_rate.trials import FINDER

COLOURS = {"judged": "C3", "development": "C0"}
SHOWN_UP_TO = 4.0
"""Ratios are drawn up to this, AlgoPerf's largest; beyond lie those that are slower and those that missed."""


def figures_of(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Figure]:
    """Ratios of every rule and problem; time over η with the picks of the search; and what the controller did."""
    return {"rules": _rules(summary), "picks": _picks(summary), "follower": _follower(summary, jobs)}


def _rules(summary: xr.Dataset) -> Figure:
    order = sorted(summary["rule"].values, key=lambda rule: np.median(summary["ratio"].sel(rule=rule)))
    figure, (ax,) = panels(1, 1, (8, 1.4 + 0.34 * len(order)))
    slower, missed = SHOWN_UP_TO * 1.12, SHOWN_UP_TO * 1.32
    low = 0.9 * min(0.9, float(summary["ratio"].min()))

    def placed(ratio: np.ndarray) -> np.ndarray:
        return np.where(np.isinf(ratio), missed, np.where(ratio > SHOWN_UP_TO, slower, ratio))

    for half, colour in COLOURS.items():
        part = summary.isel(case=np.flatnonzero(summary["half"] == half))
        for place, rule in enumerate(order):
            at = placed(part["ratio"].sel(rule=rule).values)
            jitter = 0.12 * (1 if half == "judged" else -1) + np.linspace(-0.08, 0.08, len(at))
            label = None if place else f"{half} half"
            ax.plot(at, place + jitter, "o", color=colour, markersize=4, alpha=0.7, label=label)
    medians = placed(np.array([np.median(summary["ratio"].sel(rule=rule)) for rule in order]))
    ax.plot(medians, range(len(order)), "|", color="black", markersize=16, label="median of all problems")
    ax.axvline(1, color="0.6", linewidth=0.8)
    ax.axvline(SHOWN_UP_TO, color="0.6", linewidth=0.8)
    ax.set(xscale="log", ylim=(len(order) - 0.5, -0.5), xlim=(low, SHOWN_UP_TO * 1.5))
    ticks = [tick for tick in (0.25, 0.5, 1, 1.5, 2, 3, 4) if tick > low]
    ax.set_xticks([*ticks, slower, missed], [*(f"{tick:g}" for tick in ticks), "slower", "missed"], rotation=45)
    ax.set_xticks([], minor=True)
    ax.set_yticks(range(len(order)), order)
    for label in ax.get_yticklabels():
        if label.get_text() == FINDER:
            label.set_fontweight("bold")
    ax.set_xlabel("time to target over that of the best of the grid (median over studies)")
    ax.grid(axis="y", linewidth=0.3)
    figure.legend(loc="outside upper center", ncols=3, fontsize="small")
    return figure


def _picks(summary: xr.Dataset) -> Figure:
    columns = min(4, summary.sizes["case"])
    rows = -(-summary.sizes["case"] // columns)
    figure, axes = panels(rows, columns, (3.2 * columns, 2.3 * rows))
    for ax in axes[summary.sizes["case"] :]:
        ax.set_axis_off()
    for ax, case in zip(axes, summary["case"].values, strict=False):
        row = summary.sel(case=case)
        times = row["grid_times"].transpose("grid", "study").values
        median = np.median(times, axis=1)
        ax.plot(row["grid_eta"], np.where(np.isfinite(median), median, np.nan), color="0.2", linewidth=1.2)
        ours, took = row["eta"].sel(rule=FINDER).values, row["time"].sel(rule=FINDER).values
        ceiling = 4 * float(row["oracle"])
        ax.plot(
            ours, np.where(np.isfinite(took), took, ceiling), "o", color=COLOURS[str(row["half"].item())], markersize=4
        )
        onset = float(row["onset"].sel(bound="estimate").median(skipna=True))
        if np.isfinite(onset):
            ax.axvline(onset, color="0.4", linewidth=0.8, linestyle="-.")
        ax.axhline(float(row["oracle"]), color="C2", linewidth=0.8)
        ax.set(xscale="log", ylim=(0, 1.1 * ceiling if np.isfinite(ceiling) else None))
        low, high = ax.get_xlim()
        ticks = [digit * 10.0**power for power in range(-6, 4) for digit in (1, 2, 5)]
        ax.set_xticks([tick for tick in ticks if low <= tick <= high])
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter("")
        ax.set_title(str(row["label"].item()), fontsize=6.5)
        ax.tick_params(labelsize=6, which="both")
    figure.supxlabel("learning rate η", fontsize="small")
    figure.supylabel("steps to the target", fontsize="small")
    figure.suptitle(
        "line: median over studies at each η of the grid; green: best of the grid; dash-dotted: onset of chaos\n"
        "dots: the search, one per study (red: judged half, blue: development half; at the top: missed)",
        fontsize="x-small",
    )
    return figure


def _follower(summary: xr.Dataset, jobs: Mapping[str, Any]) -> Figure:
    """The controller's learning rate over time, both in units of the best of the grid."""
    figure, (ax,) = panels(1, 1, (7, 4))
    for half, colour in COLOURS.items():
        names = summary["case"].values[(summary["half"] == half).values]
        for place, case in enumerate(names):
            row, rate = summary.sel(case=case), jobs[case]["edge_follower"]["rate"].median("seed")
            label = None if place else f"{half} half"
            time = rate["time"] / float(row["oracle"])
            ax.plot(time, rate / float(row["best_eta"]), color=colour, alpha=0.6, linewidth=1, label=label)
    ax.axhline(1, color="black", linewidth=0.8)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set(yscale="log", ylim=(1e-4, 1e2), xlabel="time over that of the best of the grid")
    ax.set_ylabel("learning rate of the controller,\nover the best single one of the grid")
    ax.set_title("a controller at the edge: median over studies, one line per problem", fontsize="small")
    ax.legend(fontsize="small", loc="lower right")
    return figure
