"""The edge-of-chaos map: where training turns chaotic, where it is fastest, and how sharp the loss is there."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from rich.table import Table

from chaosjax import EdgeOfChaos, plotting, stats
from experiments import Experiment, title_of


def summarise(dataset: xr.Dataset, threshold: float | list[float] = 0.9, level: float = 0.05) -> xr.Dataset:
    """Take `EdgeOfChaos`: the onset, the optimum and the speed-up, each with its interval.

    Args:
        dataset: a sweep over learning_rate and seed with records distance, growth, test_accuracy and, if there is
            one, sharpness.
        threshold: test accuracy that ends the training time; several go along a dimension ``threshold``.
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
    """
    return EdgeOfChaos.of(dataset, threshold, level).summary


def figures(summary: xr.Dataset, dataset: xr.Dataset) -> dict[str, Figure]:
    title, eta = title_of(dataset), summary["learning_rate"].values
    best = stats.bounds(summary["best_fastest"])[0].values
    spread = np.geomspace(eta[0], eta[-1], min(6, len(eta)))
    shown: list[float] = np.unique([*spread, *best[np.isfinite(best)].ravel()]).tolist()
    local = stats.local_exponents(stats.first_exponent(dataset["growth"]))
    return {
        "edge_of_chaos": plotting.edge_of_chaos(summary, title),
        "divergence": plotting.perturbation_growth(dataset["distance"], local, shown, title),
    }


def table(summary: xr.Dataset, dataset: xr.Dataset) -> list[Any]:
    grid = Table(show_header=False)
    grid.add_column(no_wrap=True)
    grid.add_column()
    for label, words in EdgeOfChaos(summary, dataset).rows().items():
        grid.add_row(label, words)
    grid.caption = "[95 % interval over seeds], (grid): limited by the grid; kept: R² > 0.9 and exponent > 0.05"
    return [title_of(dataset), grid, _cost(dataset)]


def _cost(dataset: xr.Dataset) -> str:
    cells = dataset["alive"].isel(time=0).size
    return (
        f"{cells} cells × {int(dataset['time'][-1])} steps in {dataset.attrs['wall_seconds']:.0f} s after "
        f"{dataset.attrs['compile_seconds']:.0f} s of compilation: "
        f"{dataset.attrs['cell_steps_per_second']:.0f} cell-steps/s on {dataset.attrs['devices']}"
    )


report = Experiment(summarise, figures, table=table, explorer=True)
