"""Common noise against independent noise: minibatches of their own part two copies that no chaos does."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from rich.table import Table

from chaosjax import stats
from experiments import Experiment, panels, title_of

CURVES = {
    "common": "perturbed, common minibatches",
    "independent": "perturbed, minibatches of its own",
    "null": "not perturbed, minibatches of its own",
}


def summarise(dataset: xr.Dataset, level: float = 0.05) -> xr.Dataset:
    """Average exponents of the steepest window under common noise, and tell whether they mean instability.

    Only the common-noise ensemble and the tangent measure the map. `excess` is the final distance under
    independent noise over that of its unperturbed copy: about 1 says that the perturbation made no difference, so
    whatever rate that distance grew at is the noise's.

    Args:
        level: exponent in nats per step above which a window counts as chaotic.
    """
    kinds = distances(dataset)
    fit = stats.exponential_window(kinds["common"], select="slope")
    last = kinds.isel(time=-1, drop=True)
    tangent = stats.mean_interval(stats.tangent_in_windows(dataset["growth"], fit))
    _, low, high = stats.bounds(tangent)
    return xr.Dataset(
        {
            "ensemble": stats.mean_interval(fit["exponent"]),
            "tangent": tangent,
            "excess": stats.mean_interval(last["independent"] / last["null"]),
            "unstable": low > level,
            "stable": high <= level,
        }
    )


def distances(dataset: xr.Dataset) -> xr.Dataset:
    """The three kinds of distance, ``[learning_rate, seed, time]``; copies are averaged."""
    common, independent = (stats.mean_over_copies(dataset[name]) for name in ("distance", "noisy"))
    return xr.Dataset({"common": common, "independent": independent, "null": dataset["noisy_null"]})


def table(summary: xr.Dataset, dataset: xr.Dataset) -> list[Any]:
    grid = Table("η", "ensemble, common noise", "tangent", "own noise: d / d of the null", "unstable")
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        shown = [stats.format_interval(row[name]) for name in ("ensemble", "tangent", "excess")]
        grid.add_row(f"{eta:.3g}", *shown, _verdict(row))
    grid.caption = (
        f"nats/step in the steepest window, mean over seeds [95 % interval]; unstable: tangent above "
        f"{summary.attrs['level']:g}"
    )
    return [title_of(dataset), grid]


def _verdict(row: xr.Dataset) -> str:
    return "yes" if bool(row["unstable"]) else "no" if bool(row["stable"]) else "undecided"


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    kinds = distances(dataset)
    etas = kinds["learning_rate"].values
    shown = etas[np.unique(np.linspace(0, len(etas) - 1, 3).round().astype(int))]
    figure, axes = panels(1, len(shown), (3.4 * len(shown), 3.6), sharey=True)
    for ax, eta in zip(axes, shown, strict=True):
        for name, label in CURVES.items():
            cells = kinds[name].sel(learning_rate=eta)
            logarithm = xr.ufuncs.log(cells.where(cells > 0))
            ax.plot(cells["time"], np.exp(logarithm.mean("seed")), label=label, linewidth=1.5)
        ax.set_title(f"η = {eta:.3g}; unstable: {_verdict(summary.sel(learning_rate=eta))}")
        ax.set_yscale("log")
        ax.set_xlabel("time t (steps)")
    norm = dataset["distance"].attrs.get("norm", "").upper()
    axes[0].set_ylabel(f"distance d(t) ({norm}),\ngeometric mean over seeds")
    axes[-1].legend()
    figure.suptitle(title_of(dataset))
    return {"noise": figure}


report = Experiment(summarise, figures, table=table)
