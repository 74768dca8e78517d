"""Exponent and training time over the learning rate in units of each optimizer's own edge."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from chaosjax import plotting, stats
from experiments import panels


def figures(summary: xr.Dataset, datasets: Mapping[str, Any]) -> dict[str, Figure]:
    units = [unit for unit in ("edge", "largest") if bool(np.isfinite(summary[unit]).any())]
    return {unit: _curves(summary, unit) for unit in units}


def _curves(summary: xr.Dataset, unit: str) -> Figure:
    """A row per problem: λ, and training time over the least one, over η in a unit of its own."""
    measured = set(summary["data"].values[np.isfinite(summary[unit].values)])
    problems = {name: label for name, label in summary.attrs["networks"].items() if name in measured}
    figure, axes = panels(len(problems), 2, (12, 3.6 * len(problems)), sharex=True)
    labels = list(dict.fromkeys(summary["label"].values))
    for row, (name, network) in enumerate(problems.items()):
        left, right = axes[2 * row], axes[2 * row + 1]
        chosen = summary.isel(case=np.flatnonzero(summary["data"].values == name))
        for place in range(chosen.sizes["case"]):
            case = chosen.isel(case=place)
            label = case["label"].item()
            if np.isfinite(float(case[unit])):
                _case(left, right, case, float(case[unit]), labels.index(label), label)
        left.axhline(summary.attrs["level"], color="black", linewidth=0.8, linestyle="--")
        left.set_ylabel("λ of copies (nats/step)")
        left.set_title(network, fontsize="small")
        right.set_title(f"to a test accuracy of {summary.attrs['targets'][name]:g}", fontsize="small")
        right.set(ylabel="training time over the least", yscale="log")
        right.yaxis.set(major_formatter="{x:g}", minor_formatter=NullFormatter())
        for ax in (left, right):
            ax.set_xscale("log")
            ax.axvline(1, color="0.6", linewidth=0.8)
    words = {
        "edge": "η over the least at which sharpness meets the own threshold",
        "largest": "η over the largest η at which half of the seeds reach the target",
    }
    for ax in axes[-2:]:
        ax.set_xlabel(words[unit], fontsize="small")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=5, fontsize="small")
    figure.suptitle("bands: 95 % over seeds; dot: the fastest η", fontsize="small")
    return figure


def _case(left: Axes, right: Axes, case: xr.Dataset, unit: float, number: int, label: str) -> None:
    colour, line = f"C{number}", "-" if number < len(rcParams["axes.prop_cycle"]) else "--"
    eta = case["eta"].values / unit
    exponents, time = case["exponents"], case["mean_time"].values
    known = np.isfinite(exponents.sel(bound="estimate").values)
    at = int(np.nanargmin(time))
    look: dict[str, Any] = {"colour": colour, "linestyle": line, "marker": "", "opacity": 0.12}
    plotting.band(left, eta[known], exponents.isel(rate=known), label=label, **look)
    left.plot(eta[at], stats.bounds(exponents)[0].values[at], "o", color=colour, markersize=5)
    arrives = case["arrived"].values > 0
    right.plot(eta[arrives], time[arrives] / np.nanmin(time), line, color=colour, linewidth=1.2)
    right.plot(eta[at], 1, "o", color=colour, markersize=5)
