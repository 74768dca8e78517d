"""Momentum and adaptive optimizers, each against its own threshold, on one axis."""

from collections.abc import Mapping
from typing import Any

import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments import Experiment, Finding, panels
from experiments.curvature.hover import findings_over, labels_of, over_cases, ratio_of

LINES = ("-", "--", ":")
"""Of the learning rates, from small to large."""


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    return findings_over(datasets, summary, "(preconditioned) sharpness", "its threshold")


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    figure, (left, right) = panels(1, 2, (11, 4.2))
    marks = []
    for number, (name, label) in enumerate(labels_of(datasets).items()):
        dataset, colour = datasets[name], f"C{number}"
        rates = dataset["learning_rate"].values
        ratio, loss = ratio_of(dataset).isel(seed=0), dataset["loss"].isel(seed=0)
        for eta, line in zip(rates, LINES, strict=False):
            left.plot(ratio["time"], ratio.sel(learning_rate=eta), line, color=colour, linewidth=1)
            right.plot(loss["time"], loss.sel(learning_rate=eta), line, color=colour, linewidth=1)
        values = ", ".join(f"{eta:g}" for eta in rates)
        marks.append(Line2D([], [], color=colour, label=f"{label}; η = {values}"))
    left.axhline(1, color="black", linewidth=0.8)
    left.set(ylabel="λ_max(P⁻¹H) over the own threshold", ylim=(0, 1.8), xlabel="time t (steps)")
    least = min(float(dataset["loss"].min()) for dataset in datasets.values())
    most = max(float(dataset["loss"].isel(time=0).max()) for dataset in datasets.values())
    right.set(yscale="log", ylabel="loss", xlabel="time t (steps)", ylim=(least / 2, 10 * most))  # one may diverge
    figure.legend(handles=marks, loc="outside lower center", ncols=2, fontsize="small")
    figure.suptitle("line: solid, dashed, dotted for the learning rates in their order; one seed", fontsize="small")
    return {"other_edges": figure}


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    hover = summary["hover"].mean(["learning_rate", "seed"])
    listed = zip(labels_of(datasets).values(), hover.values, strict=True)
    return {
        "hovers": "; ".join(f"{label}: {value:.2f}" for label, value in listed),
        "lost": f"{float(summary['lost'].max()):.1%}",
    }


report = Experiment(over_cases, figures, findings, words)
