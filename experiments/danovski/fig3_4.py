"""Figures 3 and 4: how perturbations travel at η = 0.01, and that it does not depend on their size."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats
from experiments import Experiment, Finding, beyond, claim, colours, panels

REFERENCE = 1e-8
"""The radius of figure 3, with which the others are compared."""

MOVED = 0.01
"""A distance has risen, or fallen, if it did so by this much of itself."""

ALIKE = 0.1
"""Two curves of ln d(t)/d(0) are alike if they are nowhere further apart, in nats."""


def summarise(dataset: xr.Dataset, published: Mapping[str, float]) -> xr.Dataset:
    """Reduce distances to `relative`, ln d(t)/d(0) as mean over copies, and `apart`, its largest gap to `REFERENCE`.

    Args:
        published: `alike_up_to`, the largest radius whose curves are alike.
    """
    logarithm = xr.ufuncs.log(stats.mean_over_copies(dataset["distance"]))
    relative = logarithm - logarithm.isel(time=0)
    apart = abs(relative - relative.sel(radius=REFERENCE, method="nearest")).max("time")
    return xr.Dataset({"relative": relative, "apart": apart})


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    one, apart = dataset.sel(radius=REFERENCE, method="nearest"), summary["apart"]
    kept = stats.fraction(stats.exponential_window(one["distance"])["kept"])
    curve = summary["relative"].sel(radius=REFERENCE, method="nearest")
    rises = (curve - curve.cumulative("time").min()).max("time") > MOVED
    falls = (curve.cumulative("time").max() - curve).max("time") > MOVED
    turns = stats.fraction(rises & falls)
    exponent = stats.mean_interval(stats.finite_time_exponents(stats.first_exponent(one["growth"])))
    largest = stats.mean_interval(xr.ufuncs.exp(curve.max("time")))
    alike = (apart <= ALIKE).all("seed")
    widest = float(apart["radius"].where(alike).max())
    return [
        claim(
            "3", "d(t) does not grow exponentially: cells with R² > 0.9 and Λ > 0.05", "none",
            kept, bool(kept.sel(bound="estimate") == 0),
        ),
        claim(
            "3", f"d(t) is not monotone: cells in which it rises and falls by {MOVED:.0%}", "all shown",
            turns, stats.above(turns, 0.5),
            "" if turns.sel(bound="estimate") == 1 else "not in every cell",
        ),
        claim(
            "4", f"alike for every ε: largest ε with curves within {ALIKE:g} nats of ε = {REFERENCE:g}",
            f"{summary.attrs['published']['alike_up_to']:g}", f"{widest:g}", bool(widest >= 1e-6),
            "" if bool(alike.all()) else f"larger ε part, by up to {float(apart.max()):.2g} nats",
        ),
        beyond("3", "largest d(t)/d(0)", largest),
        beyond("3", "tangent exponent of the whole run", exponent, unit="nats/step"),
    ]  # fmt: skip


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    one = dataset.sel(radius=REFERENCE, method="nearest")
    return {"fig3": figure3(one), "fig4": figure4(summary["relative"], summary["apart"])}


def figure3(dataset: xr.Dataset) -> Figure:
    figure, (left, right) = panels(1, 2, (9, 3.6))
    time = dataset["time"]
    distance = dataset["distance"].isel(seed=0).transpose("copy", "time")
    unit = 10.0 ** np.floor(np.log10(float(distance.max())))
    for line in distance / unit:
        left.plot(time, line, linewidth=0.7)
    left.set(xlabel="time t (steps)", ylabel=f"distance d(t) (L1, in units of {unit:.0e})")
    left.set_title(f"one initialisation, {dataset.sizes['copy']} perturbations, ε = {REFERENCE:g}")
    loss = dataset["loss"].transpose("seed", "time")
    for line in loss:
        right.plot(time, line, color="C7", linewidth=0.7)
    right.plot(time, loss[0], color="C0", label="the initialisation on the left")
    right.set(xlabel="time t (steps)", ylabel="training loss (nats)")
    right.set_title(f"{dataset.sizes['seed']} initialisations")
    right.legend()
    figure.suptitle("Iris, η = 0.01")
    return figure


def figure4(relative: xr.DataArray, apart: xr.DataArray) -> Figure:
    figure, (left, right) = panels(1, 2, (9, 3.6))
    ratio, count = xr.ufuncs.exp(relative), relative.sizes["radius"]
    parted = int(apart.max("radius").argmax("seed"))
    others = ratio.sel(radius=REFERENCE, method="nearest").drop_isel(seed=parted)
    left.plot(ratio["time"], others.transpose("time", "seed"), color="0.75", linewidth=0.7)
    for i, (colour, radius) in enumerate(zip(colours(count), ratio["radius"].values, strict=True)):
        curve = ratio.sel(radius=radius).isel(seed=parted)  # the wider lie below: equal curves show as one in another
        left.plot(ratio["time"], curve, color=colour, linewidth=1 + 1.2 * (count - 1 - i), label=f"ε = {radius:g}")
    left.set(xlabel="time t (steps)", ylabel="d(t) / d(0), mean over perturbations")
    left.set_title(f"colours: the initialisation whose radii part most\ngrey: the others, ε = {REFERENCE:g}")
    left.legend()
    right.plot(relative["radius"], apart.transpose("radius", "seed"), "o", color="C0", markersize=3)
    right.axhline(ALIKE, color="black", linewidth=0.7, linestyle="--", label=f"{ALIKE:g} nats")
    right.set(xscale="log", xlabel="radius ε", ylabel=f"largest gap to ε = {REFERENCE:g} (nats)")
    right.set_yscale("log")
    right.legend()
    figure.suptitle("Iris, η = 0.01")
    return figure


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
