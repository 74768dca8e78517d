"""Figure 6: the distance from a trained state that is perturbed stays, or shrinks slowly."""

import xarray as xr
from matplotlib.figure import Figure

from chaosjax import stats
from experiments import Experiment, Finding, beyond, claim, colours, initialisations, panels

FLAT = 0.1
"""A distance is flat if it never grows by more than this much of itself."""


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Divide the distance, as mean over copies, by that at the time of the perturbation: `relative`, from then on."""
    start = int(dataset["distance"].attrs["start"])
    distance = stats.mean_over_copies(dataset["distance"]).sel(time=slice(start, None))
    return xr.Dataset({"relative": distance / distance.isel(time=0)})


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    relative = summary["relative"]
    most, end = relative.max(["time", "radius"]), relative.isel(time=-1).mean("radius")
    steps = int(relative["time"][-1] - relative["time"][0])
    rate = stats.mean_interval(xr.ufuncs.log(end) / steps)
    flat = stats.fraction(most < 1 + FLAT)
    return [
        claim(
            "6", f"flat or slowly falling: cells in which d(t) never grows by {FLAT:.0%}", "all shown",
            flat, stats.above(flat, 0.5), "" if flat.sel(bound="estimate") == 1 else "not every cell",
        ),
        beyond("6", "largest d(t)/d(start)", stats.mean_interval(most)),
        beyond("6", f"d/d(start) after {steps:,} steps", stats.mean_interval(end)),
        beyond("6", "its rate", rate, unit="nats/step"),
    ]  # fmt: skip


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (ax,) = panels(1, 1, (6, 3.8))
    relative = summary["relative"]
    radii = relative["radius"].values
    for i, (colour, radius) in enumerate(zip(colours(len(radii)), radii, strict=True)):
        width = 0.8 + 1.4 * (len(radii) - 1 - i)  # the wider lie below: equal curves show as one in another
        ax.plot(relative["time"], relative.sel(radius=radius).transpose("time", "seed"), color=colour, linewidth=width)
        ax.plot([], [], color=colour, linewidth=width, label=f"ε = {radius:g}")
    ax.axhline(1, color="black", linewidth=0.7)
    start = int(relative["time"][0])
    ax.set(xlabel="time t (steps)", ylabel=f"d(t) / d({start}), mean over perturbations")
    ax.margins(y=0.3)
    ax.legend(loc="upper right")
    ax.set_title(
        f"Iris, η = 0.01, perturbed at t = {start:,}\n{initialisations(dataset)}",
    )
    return {"fig6": figure}


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
