"""Figure 5: the net displacement of each weight against the distance it travelled, and its importance."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.stats import rankdata

from chaosjax import stats
from experiments import Experiment, Finding, beyond, claim, panels

STRAIGHT = 0.3
"""A mean displacement below this part of the mean size of a displacement is no drift."""


def summarise(dataset: xr.Dataset) -> xr.Dataset:
    """Take the state at the end: `travel_displacement`, `travel_distance` and `importance` of each weight."""
    return dataset[["travel_displacement", "travel_distance", "importance"]].isel(time=-1)


def findings(summary: xr.Dataset, dataset: xr.Dataset) -> list[Finding]:
    displacement, distance = abs(summary["travel_displacement"]), summary["travel_distance"]
    r2 = stats.mean_interval(xr.corr(displacement, distance, "weight") ** 2)
    straight = stats.mean_interval((displacement / distance).median("weight"))
    drift = stats.mean_interval(summary["travel_displacement"].mean("weight") / displacement.mean("weight"))
    matters, moved = (
        xr.apply_ufunc(rankdata, part, kwargs={"axis": -1}) for part in (abs(summary["importance"]), displacement)
    )
    related = stats.mean_interval(xr.corr(matters, moved, "weight"))
    small = stats.below(drift, STRAIGHT) and stats.above(drift, -STRAIGHT)
    return [
        claim("5", "|Δw| against Dw is linear: R² over the weights", "linear", r2, stats.above(r2, 0.8)),
        claim("5", "no drift: mean Δw over mean |Δw|", "none", drift, small),
        beyond("5", "straightness |Δw| / Dw, median over the weights", straight),
        beyond("5", "rank correlation of |importance| and |Δw|", related),
    ]


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    figure, (left, right) = panels(1, 2, (9, 3.8))
    cells = [np.asarray(part).ravel() for part in (summary["travel_distance"], summary["travel_displacement"])]
    importance = np.abs(summary["importance"].values).ravel()
    shade = np.log10(np.maximum(importance, 1e-6))
    drawn = left.scatter(*cells, c=shade, s=6, cmap="viridis")
    end = max(cells[0])
    left.plot([0, end], [0, end], "k--", linewidth=0.7, label="|Δw| = Dw: straight all the way")
    left.plot([0, end], [0, -end], "k--", linewidth=0.7)
    left.set(xlabel="distance travelled Dw", ylabel="displacement Δw")
    left.legend(loc="upper left")
    figure.colorbar(drawn, ax=left, label="log₁₀ |importance| (nats)")
    right.scatter(np.maximum(importance, 1e-6), np.abs(cells[1]), s=6)
    right.set(
        xscale="log", yscale="log", xlabel="|loss change without the weight| (nats)\n(at the left: 1e-6 and less)"
    )
    right.set_ylabel("|Δw|")
    seeds, weights = summary.sizes["seed"], summary.sizes["weight"]
    title = f"Iris, η = 0.01, t = {int(summary['time']):,}: {weights} parameters of {seeds} initialisations"
    figure.suptitle(title)
    return {"fig5": figure}


report = Experiment(summarise, figures, findings, squeeze="learning_rate")
