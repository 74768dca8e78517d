"""Figure 7: the exponential phase at η = 1, and the distance at which it saturates."""

from pathlib import Path

import drawing
import findings
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

SMALL = 1e-5
"""Up to this radius a perturbation has room to grow before it saturates."""

LAST = 50
"""Steps at the end over which saturation is measured."""


TEXT = """\
Left: copies part, and saturate when they are as far from each other as trained networks are. Right: growth of a
tangent vector at each step, which knows no saturation and says how long the instability itself goes on."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes fig7.png, findings.json and the table."""
    dataset = dataset.load().squeeze("learning_rate")
    figure(dataset).savefig(folder / "fig7.png", dpi=150)
    findings.save(folder, found(dataset), findings.cost(dataset), TEXT)


def found(dataset: xr.Dataset) -> list[findings.Finding]:
    distance = dataset["distance"].mean("copy", skipna=False)
    small = dataset.sel(radius=slice(None, SMALL))
    middle = small.isel(radius=small.sizes["radius"] // 2)
    kept = stats.fraction(stats.exponential_window(middle["distance"])["kept"])
    end = xr.ufuncs.log10(distance.sel(radius=slice(None, SMALL)).isel(time=slice(-LAST, None)).mean("time"))
    spread = stats.mean_interval(end.max("radius") - end.min("radius"))
    levels = np.log10(small["radius"].max() / small["radius"].min())
    late = stats.mean_interval(stats.local_exponents(small["growth"].isel(exponent=0))[..., -LAST:].mean("time"))
    late = late.isel(radius=0)
    grown = stats.mean_interval(xr.ufuncs.log10(distance.isel(time=-1) / distance.isel(time=0)).isel(radius=0))
    return [
        findings.claim(
            "7",
            f"an exponential phase: cells with R² > 0.9 and Λ > 0.05, ε = {float(middle['radius']):g}",
            "most",
            findings.shown(kept),
            findings.above(kept, 0.5),
        ),
        findings.claim(
            "7",
            f"then saturation, at a level that ε does not set: decades between the ends of radii {levels:.0f} decades "
            "apart",
            "≪ those of ε",
            findings.shown(spread),
            findings.below(spread, float(levels) / 3),
        ),
        findings.beyond("7", "decades of growth, smallest ε", findings.shown(grown)),
        findings.beyond("7", f"tangent exponent of the last {LAST} steps", findings.shown(late, unit=" nats/step")),
    ]


def figure(dataset: xr.Dataset) -> Figure:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    distance = dataset["distance"].mean("copy", skipna=False)
    radii = distance["radius"].values
    for colour, radius in zip(drawing.colours(len(radii)), radii, strict=True):
        curves = distance.sel(radius=radius).transpose("time", "seed")
        left.plot(curves["time"], curves, color=colour, linewidth=0.4, alpha=0.5)
        left.plot(
            curves["time"], xr.ufuncs.exp(xr.ufuncs.log(curves).mean("seed")), color=colour, label=f"ε = {radius:g}"
        )
    left.set(yscale="log", xlabel="time t (steps)", ylabel="distance d(t) (L1)")
    left.set_title("thin: one initialisation; thick: their geometric mean", fontsize="small")
    left.legend(fontsize="x-small")
    local = stats.local_exponents(dataset["growth"].isel(exponent=0, radius=0))
    drawing.band(right, local["time"], stats.mean_interval(local), label="tangent, mean over initialisations")
    right.axhline(0, color="black", linewidth=0.5)
    right.set(xlabel="time t (steps)", ylabel="local exponent (nats/step)")
    right.legend(fontsize="x-small")
    figure.suptitle(f"Iris, η = 1, {dataset.sizes['seed']} initialisations × 5 perturbations", fontsize="small")
    return figure
