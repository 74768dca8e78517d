"""Gradient descent at the edge of stability: progressive sharpening, the crossing of 2/η, and the hover there."""

from collections.abc import Mapping
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from experiments import Experiment, Finding, colours, panels
from experiments.curvature.hover import draw_ratio, findings_of, labels_of, over_cases, ratio_of


def summarise(datasets: Mapping[str, xr.Dataset], enough: int) -> xr.Dataset:
    """Reduce every run of every case, along ``case``; learning rates are numbered, since cases have their own.

    Args:
        enough: records beyond the crossing, for a run to count as hovering.
    """
    return over_cases(datasets, enough)


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    found = []
    for name, label in labels_of(datasets).items():
        found += findings_of(label, summary.sel(case=name, drop=True), "sharpness", "2/η")
    return found


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


report = Experiment(summarise, figures, findings, words)
