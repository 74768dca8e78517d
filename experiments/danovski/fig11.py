"""Figure 11: the largest exponent of the loss series alone, by Kantz' method, and its finite exponents."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import linregress

from chaosjax import series, stats
from experiments import Experiment, Finding, beyond, claim, panels

STILL = 0.01
"""Exponents nearer to 0 than this, in nats per step, are drawn over each other; the figure says how many."""


def summarise(
    dataset: xr.Dataset, references: int, radius: float, horizon: int, window_ends: Sequence[int], significant: float
) -> xr.Dataset:
    """Fit Kantz' exponent to the later half of each loss series, beside the tangent's of the same steps.

    Args:
        references, radius, horizon: the arguments of `series.kantz_curves`, dimension 1.
        window_ends: last steps of the fits from step 0; the one with the smallest p-value counts, as in the study.
        significant: the study's bound on the p-value of a fit.
    """
    time = dataset["time"].values
    late = dataset["loss"].isel(time=slice(len(time) // 2, None))
    follow = partial(series.kantz_curves, dimension=1, radius=radius, horizon=horizon, references=references)
    curves = series.apply(follow, late)["value"].rename(value_0="reference", value_1="step")
    growth = stats.first_exponent(dataset["growth"])
    tangent = stats.finite_time_exponents(growth, start=int(late["time"][0]))
    return fitted(curves, window_ends).assign(tangent=tangent, curves=curves)


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
    return xr.Dataset(
        {
            "exponent": ("seed", slope),
            "p": ("seed", p),
            "end": ("seed", end),
            "usable": ("seed", usable.values),
            "finite": (("seed", "reference"), finite),
        }
    )


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    bound, tangent = summary.attrs["significant"], summary["tangent"]
    kept = summary["exponent"].where(summary["p"] <= bound)
    exponent = stats.mean_interval(kept, skipna=True)
    positive = stats.fraction(summary["finite"].where(summary["usable"]).mean("reference") > 0)
    same = stats.mean_interval(tangent.where(kept.notnull()), skipna=True)
    of = f"{int(kept.notnull().sum())} of {kept.sizes['seed']}"
    every, chaotic = stats.mean_interval(tangent), stats.fraction(tangent > 0.01)
    return [
        claim(
            "11", f"a positive exponent from the loss alone ({of} cells with p ≤ {bound:g})", "positive",
            exponent, stats.above(exponent, 0.0), unit="nats/step",
        ),
        beyond("11", "tangent exponent of the same cells and steps", same, unit="nats/step"),
        beyond("11", "tangent exponent, all cells", every, unit="nats/step"),
        beyond("11", "cells with a tangent exponent above 0.01", chaotic),
        beyond("11", "cells whose mean finite exponent is positive", positive),
    ]  # fmt: skip


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (left, middle, right) = panels(1, 3, (11, 3.6))
    curves = summary["curves"]
    steps = np.arange(curves.sizes["step"])
    for curve in curves.mean("reference"):
        left.plot(steps, curve, linewidth=0.8)
    left.set(xlabel="steps k", ylabel="mean log distance\nof neighbours S(k)", title="one line per initialisation")
    finite = summary["finite"].values
    finite = finite[np.isfinite(finite)]
    middle.hist(finite, 60, histtype="step", log=True)
    middle.axvline(0, color="black", linewidth=0.5)
    middle.set(xlabel="finite exponent Λ of a reference\npoint (nats/step)", ylabel="number of reference points")
    right.plot(summary["tangent"], summary["exponent"], "o", markersize=4)
    ends = np.array([np.nanmin(summary["tangent"]), np.nanmax(summary["tangent"])])
    right.plot(ends, ends, "k--", linewidth=0.7, label="equal")
    still = int(((abs(summary["tangent"]) < STILL) & (abs(summary["exponent"]) < STILL)).sum())
    note = f"{still} of {summary.sizes['seed']} within {STILL:g} of 0"
    right.annotate(note, (0, 0), xytext=(45, 0), textcoords="offset points", fontsize="small", va="center")
    right.set(xlabel="tangent exponent (nats/step)", ylabel="Kantz' exponent of\nthe loss (nats/step)")
    right.legend()
    figure.suptitle("Iris, η = 5, later half of the run")
    return {"fig11": figure}


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
