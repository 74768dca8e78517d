"""Figure 7: the exponential phase at η = 1, and the distance at which it saturates."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import Experiment, Finding, beyond, claim, colours, initialisations, legend_above, panels

SMALL = 1e-5
"""Up to this radius a perturbation has room to grow before it saturates."""

LAST = 50
"""Steps at the end over which saturation is measured."""


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Take means over copies and the tangent's growth: `distance` and `local`, nats per step."""
    growth = stats.first_exponent(dataset["growth"])
    return xr.Dataset({"distance": stats.mean_over_copies(dataset["distance"]), "local": stats.local_exponents(growth)})


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    small = summary.sel(radius=slice(None, SMALL))
    middle = dataset["distance"].sel(radius=small["radius"][small.sizes["radius"] // 2])
    kept = stats.fraction(stats.exponential_window(middle)["kept"])
    end = xr.ufuncs.log10(small["distance"].isel(time=slice(-LAST, None)).mean("time"))
    spread = stats.mean_interval(end.max("radius") - end.min("radius"))
    levels = np.log10(small["radius"].max() / small["radius"].min())
    first = summary.isel(radius=0)
    late = stats.mean_interval(first["local"].isel(time=slice(-LAST, None)).mean("time"))
    grown = stats.mean_interval(xr.ufuncs.log10(first["distance"].isel(time=-1) / first["distance"].isel(time=0)))
    return [
        claim(
            "7", f"an exponential phase: cells with R² > 0.9 and Λ > 0.05, ε = {float(middle['radius']):g}", "most",
            kept, stats.above(kept, 0.5),
        ),
        claim(
            "7", f"then saturation, at a level that ε does not set: decades between the ends of radii {levels:.0f} "
            "decades apart", "≪ those of ε", spread, stats.below(spread, float(levels) / 3),
        ),
        beyond("7", "decades of growth, smallest ε", grown),
        beyond("7", f"tangent exponent of the last {LAST} steps", late, unit="nats/step"),
    ]  # fmt: skip


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (left, right) = panels(1, 2, (9, 3.8))
    distance = summary["distance"]
    radii = distance["radius"].values
    for colour, radius in zip(colours(len(radii)), radii, strict=True):
        curves = distance.sel(radius=radius).transpose("time", "seed")
        left.plot(curves["time"], curves, color=colour, linewidth=0.4, alpha=0.5)
        typical = xr.ufuncs.exp(xr.ufuncs.log(curves).mean("seed"))
        left.plot(curves["time"], typical, color=colour, label=f"ε = {radius:g}")
    left.set(yscale="log", xlabel="time t (steps)", ylabel="distance d(t) (L1)")
    left.set_title("thin: one initialisation; thick: their geometric mean")
    left.legend()
    local = stats.mean_interval(summary["local"].isel(radius=0))
    plotting.band(right, local["time"], local, colour="C0", label="tangent, mean over initialisations")
    right.axhline(0, color="black", linewidth=0.5)
    right.set(xlabel="time t (steps)", ylabel="local exponent (nats/step)")
    legend_above(right, 0.15)
    figure.suptitle(f"Iris, η = 1, {initialisations(dataset)}")
    return {"fig7": figure}


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
