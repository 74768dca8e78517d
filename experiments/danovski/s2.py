"""Appendix S2: the exponent over the learning rate for MNIST with pixels of 0 to 255."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import plotting, provenance_of, stats
from experiments import Experiment, Finding, beyond, legend_above, markdown, panels, title_of

SATURATION = 0.1
"""Share of its largest value at which a distance is no longer small."""

RULES = {
    "filtered": ("straightest window, kept cells (R² > 0.9, Λ > 0.05)", "C0", "-"),
    "unfiltered": ("straightest window, all cells", "C5", "-"),
    "tangent": ("tangent, straightest window", "C5", ":"),
    "steepest": ("steepest window, all cells", "C3", "-"),
    "steepest_tangent": ("tangent, steepest window", "C3", ":"),
    "whole": ("tangent, whole run", "0.35", "-"),
}
"""Label, colour and line of each fitting rule."""


def summarise(dataset: xr.Dataset, level: float) -> xr.Dataset:
    """Average each of `RULES` over seeds, and `saturation`, the steps until d(t) is a tenth of its largest value.

    The latter of cells that grow tenfold: an exponential phase is no longer than that.

    Args:
        level: exponent in nats per step above which a window counts as chaotic: the study's.
    """
    growth, distance = stats.first_exponent(dataset["growth"]), stats.mean_over_copies(dataset["distance"])
    fit, steep = (stats.exponential_window(dataset["distance"], select=select) for select in ("r2", "slope"))
    relative = distance / distance.max("time")
    saturated = stats.first_passage(relative, SATURATION)["first_passage"]
    cells = {
        "tangent": stats.tangent_in_windows(growth, fit),
        "steepest": steep["exponent"],
        "steepest_tangent": stats.tangent_in_windows(growth, steep),
        "whole": stats.finite_time_exponents(growth),
        "saturation": saturated.where(relative.isel(time=0, drop=True) < SATURATION),
    }
    means = {name: stats.mean_interval(values.astype(float), skipna=True) for name, values in cells.items()}
    return stats.summarise_exponents(fit).assign(means)


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    level, eta = summary.attrs["level"], summary["learning_rate"].values
    _, low, _ = stats.bounds(summary["steepest"])
    chaotic = [rate for rate, at in zip(eta[1:], low.values[1:], strict=True) if at > level]
    spans = f"above {level:g} at η = {', '.join(f'{rate:g}' for rate in chaotic)}" if chaotic else "nowhere above"
    ours = f"{stats.format_interval(summary['steepest'].isel(learning_rate=0))} at η = {eta[0]:g}; {spans}"
    lines = [beyond("S2", "λ, steepest window", ours, "the appendix's figures are not at hand")]
    for rate in eta:
        growth = summary["whole"].sel(learning_rate=rate)
        lines.append(beyond("S2", f"tangent exponent of the whole run, η = {rate:g}", growth, unit="nats/step"))
    return lines


def words(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Any]:
    header = ("η", "kept", *(label for label, _, _ in RULES.values()))
    rows, saturation = [], []
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        kept = float(stats.bounds(row["kept_fraction"])[0])
        rows.append([f"{eta:g}", f"{kept:.0%}", *(stats.format_interval(row[name]) for name in RULES)])
        if np.isfinite(stats.bounds(row["saturation"])[0]):
            saturation.append(f"{stats.format_interval(row['saturation'])} at η = {eta:g}")
    return {
        "train_samples": provenance_of(dataset)["identity"]["system"]["dataset"]["train_samples"],
        "seeds": dataset.sizes["seed"],
        "copies": dataset.sizes["copy"],
        "steps": int(dataset["time"][-1]),
        "saturation": ", ".join(saturation) or "none does",
        "table": markdown(header, rows),
    }


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (left, right) = panels(1, 2, (11, 4.6))
    level, eta = summary.attrs["level"], summary["learning_rate"].values
    _distances(left, dataset)
    for name, (label, colour, line) in RULES.items():
        opacity = 0.08 if line == ":" else 0.2
        plotting.band(right, eta, summary[name], colour=colour, label=label, linestyle=line, opacity=opacity)
    right.set_xlim(eta[0] / 1.5, eta[-1] * 1.5)
    right.axhline(0, color="black", linewidth=0.6)
    right.axhline(level, color="black", linewidth=0.6, linestyle="--")
    right.set(xscale="log", xlabel="learning rate η", ylabel="exponent λ (nats/step)")
    legend_above(right, 0.7, title=f"dashed: {level:g}")
    figure.suptitle(f"{title_of(dataset)}; bands: 95 %")
    return {"s2": figure}


def _distances(ax: Axes, dataset: xr.Dataset) -> None:
    distance = stats.mean_over_copies(dataset["distance"])
    tangent = xr.ufuncs.log(distance.isel(time=0)) + stats.first_exponent(dataset["growth"]).cumsum("time")
    top = 10 * float(distance.max())
    colours = colormaps["plasma"](np.linspace(0, 0.9, distance.sizes["learning_rate"]))
    for eta, colour in zip(distance["learning_rate"].values, colours, strict=True):
        cells = distance.sel(learning_rate=eta)
        ax.plot(cells["time"], cells.transpose("time", "seed"), color=colour, linewidth=0.4, alpha=0.5)
        typical = np.exp(xr.ufuncs.log(cells.where(cells > 0)).mean("seed"))
        ax.plot(cells["time"], typical, color=colour, linewidth=1.8, label=f"η = {eta:g}")
        small = tangent.sel(learning_rate=eta).mean("seed")
        ax.plot(small["time"], np.exp(small.where(small < np.log(top))), "--", color=colour, linewidth=1)
    ax.set(yscale="log", xlabel="time t (steps)", ylabel="distance d(t) to the unperturbed run (L1)")
    ax.set_ylim(top=top)
    place = {"loc": "lower right", "bbox_to_anchor": (1, 0.07)}
    ax.legend(ncols=2, title="dashed: the tangent's", **place)


report = Experiment(summarise, figures, findings, words)
