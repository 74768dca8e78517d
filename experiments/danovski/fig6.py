"""Figure 6: the distance from a trained state that is perturbed stays, or shrinks slowly."""

from pathlib import Path

import drawing
import findings
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats

FLAT = 0.1
"""A distance is flat if it never grows by more than this much of itself."""


TEXT = """\
A state that has been trained is perturbed, and the distance from then on is drawn relative to its start: a line for
each initialisation and radius. Where lines of different radii hide each other the course is that of the linearised
map."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes fig6.png, findings.json and the table."""
    dataset = dataset.load().squeeze("learning_rate")
    start = int(dataset["distance"].attrs["start"])
    distance = dataset["distance"].mean("copy", skipna=False).sel(time=slice(start, None))
    relative = distance / distance.isel(time=0)
    figure(relative, dataset).savefig(folder / "fig6.png", dpi=150)
    findings.save(folder, found(relative), findings.cost(dataset), TEXT)


def found(relative: xr.DataArray) -> list[findings.Finding]:
    grown = stats.mean_interval(relative.max("time").max("radius"))
    end = relative.isel(time=-1).mean("radius")
    left = stats.mean_interval(end)
    steps = int(relative["time"][-1] - relative["time"][0])
    rate = stats.mean_interval(xr.ufuncs.log(end) / steps)
    flat = stats.fraction(relative.max("time").max("radius") < 1 + FLAT)
    return [
        findings.claim(
            "6",
            f"flat or slowly falling: cells in which d(t) never grows by {FLAT:.0%}",
            "all shown",
            findings.shown(flat),
            findings.above(flat, 0.5),
            "" if flat["estimate"] == 1 else "not every cell",
        ),
        findings.beyond("6", "largest d(t)/d(start)", findings.shown(grown)),
        findings.beyond("6", f"d/d(start) after {steps:,} steps", findings.shown(left)),
        findings.beyond("6", "its rate", findings.shown(rate, unit=" nats/step")),
    ]


def figure(relative: xr.DataArray, dataset: xr.Dataset) -> Figure:
    figure = Figure(figsize=(6, 3.8), layout="constrained")
    ax = figure.subplots()
    radii = relative["radius"].values
    for colour, radius in zip(drawing.colours(len(radii)), radii, strict=True):
        ax.plot(relative["time"], relative.sel(radius=radius).transpose("time", "seed"), color=colour, linewidth=0.7)
        ax.plot([], [], color=colour, label=f"ε = {radius:g}")
    start = int(relative["time"][0])
    ax.set(xlabel="time t (steps)", ylabel=f"d(t) / d({start}), mean over perturbations", ylim=(0, None))
    ax.legend(fontsize="x-small")
    ax.set_title(
        f"Iris, η = 0.01, perturbed at t = {start:,}: {dataset.sizes['seed']} initialisations × "
        f"{dataset.sizes['copy']} perturbations",
        fontsize="small",
    )
    return figure
