"""The figures of `cause`: speeds under every intervention, and the losses."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats
from experiments import panels

COLOURS = {"expanding": "C3", "random": "C7", "sharpest": "C0"}


def figures(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Figure]:
    """For each network and rate a row per intervention, its speed over the chaotic run's; and the median losses."""
    return {"cause": _speeds(summary), "losses": _losses(summary)}


def _rows_of(row: xr.Dataset) -> dict[str, xr.DataArray]:
    """By name, the speeds over the chaotic run's, ``[bound]``, from the top of the figure down."""
    arms = {name: row["arms_chaotic"].sel(arms=name) for name in row["arms"].values}
    noise = {name: row["noise_chaotic"].sel(noise=name) for name in row["noise"].values[1:]}
    return {**arms, **noise, **{name: row["orders_chaotic"].sel(orders=name) for name in row["orders"].values[2:]}}


def _speeds(summary: xr.Dataset) -> Figure:
    rates, cases = summary.sizes["rate"], summary.sizes["case"]
    figure, axes = panels(cases, rates, (5.2 * rates, 3.7 * cases), sharey=True)
    for ax, (case, rate) in zip(axes, np.ndindex(cases, rates), strict=True):
        row = summary.isel(case=case, rate=rate)
        ends = np.concatenate([ratio.values for k in range(2) for ratio in _rows_of(row.isel(stage=k)).values()])
        edge = 1.1 * max(ends[np.isfinite(ends)], default=1.0)
        for stage in range(2):
            shown = _rows_of(row.isel(stage=stage))
            for place, (name, ratio) in enumerate(shown.items()):
                middle, low, high = map(float, stats.bounds(ratio))
                colour = COLOURS.get(name.split(":")[0], "black")
                height, face = place + 0.3 * stage, colour if stage == 0 else "white"
                ax.plot([low, min(high, edge)], [height, height], color=colour, linewidth=1.5 - 0.7 * stage)
                ax.plot([middle], [height], "o", color=colour, markerfacecolor=face, markersize=4)
        ax.axvline(1, color="black", linewidth=0.7)
        ax.set_xlim(-0.05, edge)
        ax.set_yticks(range(len(_rows_of(row))), list(_rows_of(row)))
        ax.set_title(f"{row['label'].item()}, η = {float(row['rates']):.3g}", fontsize="small")
    axes[0].invert_yaxis()  # of all: they share it
    label = (
        "speed over that of the chaotic run, from the same weights (filled: to the early target, open: to the late one)"
    )
    figure.supxlabel(label, fontsize="medium")
    return figure


def _losses(summary: xr.Dataset) -> Figure:
    rates, cases = summary.sizes["rate"], summary.sizes["case"]
    figure, axes = panels(cases, rates, (4.2 * rates, 3.0 * cases))
    styles = {"chaotic": ("black", "-"), "calm": ("black", ":")}
    styles |= {f"{basis}: out": (colour, "-") for basis, colour in COLOURS.items()}
    styles |= {"expanding: calm": ("C3", ":"), "expanding: alone chaotic": ("C3", "--")}
    for ax, (case, rate) in zip(axes, np.ndindex(cases, rates), strict=True):
        row = summary.isel(case=case, rate=rate)
        for name, (colour, line) in styles.items():
            ax.plot(row["time"], row["loss"].sel(arms=name), color=colour, linestyle=line, label=name, linewidth=1.2)
        for target in row["target"].values:
            ax.axhline(target, color="black", linewidth=0.5)
        ax.set(yscale="log", xlabel="t (steps)", ylabel="training loss, median over seeds")
        ax.set_title(f"{row['label'].item()}, η = {float(row['rates']):.3g}", fontsize="small")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize="small")
    return figure
