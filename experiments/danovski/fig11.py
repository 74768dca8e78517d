"""Figure 11: the largest exponent of the loss series alone, by Kantz' method, and its finite exponents."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import findings
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import linregress

from chaosjax import series, stats

SIGNIFICANT = 0.05
"""The study's bound on the p-value of a fit."""


TEXT = """\
Kantz' method with the study's settings on the later half of each run: one dimension, neighbours within the given
radius, the window with the best p-value. A run that has locked to a cycle has neighbours that do not part, and
exponent 0. Where neighbours part within fewer steps than the shortest window, the fit averages growth and
saturation, and falls below the tangent's exponent."""


def report(
    dataset: xr.Dataset, folder: Path, references: int, radius: float, horizon: int, window_ends: Sequence[int]
) -> None:
    """Writes fig11.png, findings.json and the table.

    Args:
        references, radius, horizon: the arguments of `series.kantz_curves`, dimension 1.
        window_ends: last steps of the fits from step 0; the one with the smallest p-value counts, as in the study.
    """
    dataset = dataset.load().squeeze("learning_rate")
    time = dataset["time"].values
    late = dataset.isel(time=slice(len(time) // 2, None))
    follow = partial(series.kantz_curves, dimension=1, radius=radius, horizon=horizon, references=references)
    curves = series.apply(follow, late["loss"])["value"].rename(value_0="reference", value_1="step")
    fits = fitted(curves, window_ends)
    fits["tangent"] = stats.finite_time_exponents(dataset["growth"].isel(exponent=0), start=int(late["time"][0]))
    figure(curves, fits).savefig(folder / "fig11.png", dpi=150)
    findings.save(folder, found(fits, dataset), findings.cost(dataset), TEXT)


def fitted(curves: xr.DataArray, ends: Sequence[int]) -> xr.Dataset:
    """By seed: slope, p-value and window end of the mean curve, and the slopes of single reference points there."""
    usable = curves.notnull().all("step").any("reference")
    cells = []
    for curve in curves.where(curves.notnull().all("step")):
        mean = curve.mean("reference").values
        if not np.isfinite(mean).all():
            cells.append((np.nan, np.nan, np.nan, np.full(curve.sizes["reference"], np.nan)))
            continue
        lines = [np.asarray(linregress(np.arange(end + 1), mean[: end + 1])) for end in ends]
        slopes, p_values = ([line[place] for line in lines] for place in (0, 3))
        best = int(np.argmin(p_values))
        steps = np.arange(ends[best] + 1)
        centred = steps - steps.mean()
        finite = curve.values[:, : len(steps)] @ centred / (centred @ centred)
        cells.append((slopes[best], p_values[best], ends[best], finite))
    slope, p, end, finite = (np.array(part) for part in zip(*cells, strict=True))
    fits = xr.Dataset(
        {"exponent": ("seed", slope), "p": ("seed", p), "end": ("seed", end), "finite": (("seed", "reference"), finite)}
    )
    return fits.assign(usable=("seed", usable.values))


def found(fits: xr.Dataset, dataset: xr.Dataset) -> list[findings.Finding]:
    kept = fits["exponent"].where(fits["p"] <= SIGNIFICANT)
    exponent = stats.mean_interval(kept, skipna=True)
    positive = stats.fraction(fits["finite"].where(fits["usable"]).mean("reference") > 0)
    tangent = stats.mean_interval(fits["tangent"])
    same = stats.mean_interval(fits["tangent"].where(kept.notnull()), skipna=True)
    chaotic = stats.fraction(fits["tangent"] > 0.01)
    of = f"{int(kept.notnull().sum())} of {dataset.sizes['seed']}"
    return [
        findings.claim(
            "11", f"a positive exponent from the loss alone ({of} cells with p ≤ {SIGNIFICANT})", "positive",
            findings.shown(exponent, unit=" nats/step"), findings.above(exponent, 0.0),
        ),
        findings.beyond("11", "tangent exponent of the same cells and steps", findings.shown(same, unit=" nats/step")),
        findings.beyond("11", "tangent exponent, all cells", findings.shown(tangent, unit=" nats/step")),
        findings.beyond("11", "cells with a tangent exponent above 0.01", findings.shown(chaotic)),
        findings.beyond("11", "cells whose mean finite exponent is positive", findings.shown(positive)),
    ]  # fmt: skip


def figure(curves: xr.DataArray, fits: xr.Dataset) -> Figure:
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    steps = np.arange(curves.sizes["step"])
    for curve in curves.mean("reference"):
        left.plot(steps, curve, linewidth=0.8)
    left.set(xlabel="steps k", ylabel="mean log distance of neighbours S(k)", title="a line an initialisation")
    finite = fits["finite"].values
    finite = finite[np.isfinite(finite)]
    middle.hist(finite, 60, density=True, histtype="step")
    middle.axvline(0, color="black", linewidth=0.5)
    middle.set(xlabel="finite exponent Λ of a reference point (nats/step)", ylabel="probability density")
    right.plot(fits["tangent"], fits["exponent"], "o", markersize=4)
    ends = np.array([np.nanmin(fits["tangent"]), np.nanmax(fits["tangent"])])
    right.plot(ends, ends, "k--", linewidth=0.7, label="equal")
    right.set(xlabel="tangent exponent (nats/step)", ylabel="Kantz' exponent of the loss (nats/step)")
    right.legend(fontsize="x-small")
    figure.suptitle("Iris, η = 5, later half of the run", fontsize="small")
    return figure
