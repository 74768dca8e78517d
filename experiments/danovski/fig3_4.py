"""Figures 3 and 4: how perturbations travel at η = 0.01, and that it does not depend on their size."""

from pathlib import Path

import drawing
import findings
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

REFERENCE = 1e-8
"""The radius of figure 3, with which the others are compared."""

MOVED = 0.01
"""A distance has risen, or fallen, if it did so by this much of itself."""

ALIKE = 0.1
"""Two curves of ln d(t)/d(0) are alike if they are nowhere further apart, in nats."""


TEXT = """\
Figure 3: distances of the copies of one initialisation, beside the loss. Figure 4: the same relative to its start,
for every radius. As long as copies are close their course is that of the linearised map, whatever the radius; at
the smallest ε rounding tells the curves apart, at the largest nonlinearity (right)."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes fig3.png, fig4.png, findings.json and the table."""
    dataset = dataset.load().squeeze("learning_rate")
    logarithm = xr.ufuncs.log(dataset["distance"].mean("copy", skipna=False))
    relative = logarithm - logarithm.isel(time=0)
    apart = abs(relative - relative.sel(radius=REFERENCE, method="nearest")).max("time")
    figure3(dataset.sel(radius=REFERENCE, method="nearest")).savefig(folder / "fig3.png", dpi=150)
    figure4(relative, apart).savefig(folder / "fig4.png", dpi=150)
    findings.save(folder, found(dataset, relative, apart), findings.cost(dataset), TEXT)


def found(dataset: xr.Dataset, relative: xr.DataArray, apart: xr.DataArray) -> list[findings.Finding]:
    one = dataset.sel(radius=REFERENCE, method="nearest")
    kept = stats.fraction(stats.exponential_window(one["distance"])["kept"])
    curve = relative.sel(radius=REFERENCE, method="nearest")
    rises = (curve - curve.cumulative("time").min()).max("time") > MOVED
    falls = (curve.cumulative("time").max() - curve).max("time") > MOVED
    turns = stats.fraction(rises & falls)
    exponent = stats.mean_interval(stats.finite_time_exponents(one["growth"].isel(exponent=0)))
    largest = stats.mean_interval(xr.ufuncs.exp(curve.max("time")))
    alike = (apart <= ALIKE).all("seed")
    widest = float(apart["radius"].where(alike).max())
    return [
        findings.claim(
            "3", "d(t) does not grow exponentially: cells with R² > 0.9 and Λ > 0.05", "none",
            findings.shown(kept), bool(kept["estimate"] == 0),
        ),
        findings.claim(
            "3", f"d(t) is not monotone: cells in which it rises and falls by {MOVED:.0%}", "all shown",
            findings.shown(turns), findings.above(turns, 0.5),
            "" if turns["estimate"] == 1 else "not in every cell",
        ),
        findings.claim(
            "4", f"alike for every ε: largest ε with curves within {ALIKE:g} nats of ε = {REFERENCE:g}",
            f"{1e-2:g}", f"{widest:g}", bool(widest >= 1e-6),
            "" if bool(alike.all()) else f"larger ε part, by up to {float(apart.max()):.2g} nats",
        ),
        findings.beyond("3", "largest d(t)/d(0)", findings.shown(largest)),
        findings.beyond("3", "tangent exponent of the whole run", findings.shown(exponent, unit=" nats/step")),
    ]  # fmt: skip


def figure3(dataset: xr.Dataset) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    time = dataset["time"]
    for line in dataset["distance"].isel(seed=0).transpose("copy", "time"):
        left.plot(time, line, linewidth=0.7)
    left.set(xlabel="time t (steps)", ylabel="distance d(t) (L1)")
    left.set_title(f"one initialisation, {dataset.sizes['copy']} perturbations, ε = {REFERENCE:g}", fontsize="small")
    loss = dataset["loss"].transpose("seed", "time")
    for line in loss:
        right.plot(time, line, color="tab:grey", linewidth=0.7)
    right.plot(time, loss[0], color="tab:blue", label="the initialisation on the left")
    right.set(xlabel="time t (steps)", ylabel="training loss (nats)")
    right.set_title(f"{dataset.sizes['seed']} initialisations", fontsize="small")
    right.legend(fontsize="x-small")
    figure.suptitle("Iris, η = 0.01", fontsize="small")
    return figure


def figure4(relative: xr.DataArray, apart: xr.DataArray) -> Figure:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = drawing.colours(relative.sizes["radius"])
    for colour, radius in zip(colours, relative["radius"].values, strict=True):
        curves = xr.ufuncs.exp(relative.sel(radius=radius).transpose("seed", "time"))
        left.plot(relative["time"], curves.T, color=colour, linewidth=0.7)
        left.plot([], [], color=colour, label=f"ε = {radius:g}")
    left.set(xlabel="time t (steps)", ylabel="d(t) / d(0), mean over perturbations")
    left.set_title("a line an initialisation and radius", fontsize="small")
    left.legend(fontsize="x-small")
    right.plot(relative["radius"], apart.transpose("radius", "seed"), "o", color="tab:blue", markersize=3)
    right.axhline(ALIKE, color="black", linewidth=0.7, linestyle="--", label=f"{ALIKE:g} nats")
    right.set(xscale="log", xlabel="radius ε", ylabel=f"largest gap to ε = {REFERENCE:g} (nats)")
    right.set_yscale("log")
    right.legend(fontsize="x-small")
    figure.suptitle("Iris, η = 0.01", fontsize="small")
    return figure
