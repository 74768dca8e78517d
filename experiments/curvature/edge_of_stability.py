"""Gradient descent at the edge of stability: progressive sharpening, the crossing of 2/η, and the hover there."""

from collections.abc import Mapping
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from experiments import Experiment, Finding, colours, panels
from experiments.curvature.hover import draw_ratio, findings_over, labels_of, over_cases, ratio_of


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    return findings_over(datasets, summary, "sharpness", "2/η")


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    """Cases down the page; loss, sharpness with 2/η, and their ratio."""
    figure, axes = panels(len(datasets), 3, (11, 3.1 * len(datasets)))
    for row, (name, dataset) in enumerate(datasets.items()):
        left, middle, right = axes[3 * row : 3 * row + 3]
        scale = colours(dataset.sizes["learning_rate"])
        one, sharpness = dataset.isel(seed=0), dataset["sharpness"].isel(eigenvalue=0, seed=0)
        sharpness = sharpness.where(ratio_of(dataset).isel(seed=0).notnull())
        for eta, colour in zip(dataset["learning_rate"].values, scale, strict=True):
            left.plot(one["time"], one["loss"].sel(learning_rate=eta), color=colour, linewidth=1, label=f"η = {eta:g}")
            middle.plot(one["time"], sharpness.sel(learning_rate=eta), color=colour, linewidth=1)
            middle.axhline(2 / eta, color=colour, linewidth=0.8, linestyle="--")
        draw_ratio(right, dataset, scale)
        left.set(yscale="log", ylabel="loss")
        left.legend(fontsize="x-small")
        middle.set_title(labels_of(datasets)[name], fontsize="medium")
        middle.set(ylabel="sharpness; dashed: 2/η", ylim=(0, None))
        right.set(ylabel="sharpness · η/2", ylim=(0, min(2.5, right.get_ylim()[1])))
        for ax in (left, middle, right):
            ax.set_xlabel("time t (steps)")
    return {"edge_of_stability": figure}


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    lost = float(summary["lost"].max())
    return {"seeds": summary.sizes["seed"], "lost": f"{lost:.1%}", "enough": summary.attrs["enough"]}


report = Experiment(over_cases, figures, findings, words)
