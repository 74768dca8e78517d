"""Figure 5: the net displacement of each weight against the distance it travelled, and its importance."""

from pathlib import Path

import findings
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import rankdata

from chaosjax import stats

STRAIGHT = 0.3
"""A mean displacement below this part of the mean size of a displacement is no drift."""


TEXT = """\
Each point is a parameter of a network. On the dashed lines are those that never turned back; displacements of both
signs alike mean that there is no drift. The colour, and the panel on the right, is what the loss says of a
parameter: how much it changes without it."""


def report(dataset: xr.Dataset, folder: Path) -> None:
    """Writes fig5.png, findings.json and the table."""
    end = dataset.load().squeeze("learning_rate").isel(time=-1)
    figure(end).savefig(folder / "fig5.png", dpi=150)
    findings.save(folder, found(end), findings.cost(dataset), TEXT)


def found(dataset: xr.Dataset) -> list[findings.Finding]:
    displacement, distance = abs(dataset["travel_displacement"]), dataset["travel_distance"]
    r2 = stats.mean_interval(xr.corr(displacement, distance, "weight") ** 2)
    straight = stats.mean_interval((displacement / distance).median("weight"))
    drift = dataset["travel_displacement"].mean("weight") / displacement.mean("weight")
    drift = stats.mean_interval(drift)
    matters, moved = (
        xr.apply_ufunc(rankdata, part, kwargs={"axis": -1}) for part in (_importance(dataset), displacement)
    )
    related = stats.mean_interval(xr.corr(matters, moved, "weight"))
    return [
        findings.claim(
            "5", "|Δw| against Dw is linear: R² over the weights", "linear", findings.shown(r2), findings.above(r2, 0.8)
        ),
        findings.claim(
            "5",
            "no drift: mean Δw over mean |Δw|",
            "none",
            findings.shown(drift),
            findings.below(drift, STRAIGHT) and findings.above(drift, -STRAIGHT),
        ),
        findings.beyond("5", "straightness |Δw| / Dw, median over the weights", findings.shown(straight)),
        findings.beyond("5", "rank correlation of |importance| and |Δw|", findings.shown(related)),
    ]


def _importance(dataset: xr.Dataset) -> xr.DataArray:
    return abs(dataset["importance"])


def figure(dataset: xr.Dataset) -> Figure:
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    cells = [np.asarray(part).ravel() for part in (dataset["travel_distance"], dataset["travel_displacement"])]
    importance = np.asarray(_importance(dataset)).ravel()
    shade = np.log10(np.maximum(importance, 1e-6))
    drawn = left.scatter(*cells, c=shade, s=6, cmap="viridis")
    end = max(cells[0])
    left.plot([0, end], [0, end], "k--", linewidth=0.7, label="|Δw| = Dw: straight all the way")
    left.plot([0, end], [0, -end], "k--", linewidth=0.7)
    left.set(xlabel="distance travelled Dw", ylabel="displacement Δw")
    left.legend(fontsize="x-small", loc="upper left")
    figure.colorbar(drawn, ax=left, label="log₁₀ |importance| (nats)")
    right.scatter(np.maximum(importance, 1e-6), np.abs(cells[1]), s=6)
    right.set(xscale="log", yscale="log", xlabel="|loss change when the weight is 0| (nats; least shown 1e-6)")
    right.set_ylabel("|Δw|")
    seeds, time = dataset.sizes["seed"], int(dataset["time"])
    figure.suptitle(
        f"Iris, η = 0.01, t = {time:,}: {dataset.sizes['weight']} parameters of {seeds} initialisations",
        fontsize="small",
    )
    return figure
