"""The edge-of-chaos map: where training turns chaotic, where it is fastest, and how sharp the loss is there."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from rich.table import Table

from chaosjax import plotting, stats
from experiments import Experiment, title_of

ONSETS = {"steepest_tangent": "steepest window", "fit": "study's fit", "whole": "whole run"}
"""The exponents whose onset is reported; the first one defines the chaotic range."""


def summarise(dataset: xr.Dataset, threshold: float | list[float] = 0.9, level: float = 0.05) -> xr.Dataset:
    """Average over seeds at every learning rate; find the onset, the optimum and the speed-up, each with its interval.

    The chaotic range begins at the onset η_c of the tangent exponent in the steepest window of the ensemble
    (`stats.onset` at `level`) and holds the learning rates from there whose mean is above `level`. The study's
    fit takes the straightest window instead, which passes over a short transient.

    Args:
        dataset: a sweep over learning_rate and seed with records distance, growth, test_accuracy and, if there is
            one, sharpness.
        threshold: test accuracy that ends the training time; several go along a dimension ``threshold``.
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
    """
    growth, accuracy = stats.first_exponent(dataset["growth"]), dataset["test_accuracy"]
    several = isinstance(threshold, list)
    ends = xr.DataArray(threshold, {"threshold": threshold}, "threshold") if several else threshold
    fits = {
        name: stats.exponential_window(dataset["distance"], select=select)
        for name, select in {"fit": "r2", "steepest": "slope"}.items()
    }
    cells = {"whole": stats.finite_time_exponents(growth)}
    for name, fit in fits.items():
        cells |= {name: fit["exponent"], f"{name}_tangent": stats.tangent_in_windows(growth, fit)}
    means = {name: stats.mean_interval(values) for name, values in cells.items()}
    if "sharpness" in dataset:
        means["stability"] = stats.mean_interval(_last_sharpness(dataset) * dataset["learning_rate"] / 2)
    parts = [stats.training_time(accuracy, ends), _prefixed(stats.fastest(accuracy, ends), "best")]
    onsets = {name: stats.onset(cells[name], level=0.0 if name == "whole" else level) for name in ONSETS}
    parts += [_prefixed(onset, name) for name, onset in onsets.items()]
    chaos = next(iter(ONSETS))
    onset = onsets[chaos]["onset"]
    parts += [_prefixed(stats.speed_up(accuracy, onset, ends), "gain")]
    for name, fit in fits.items():
        ensemble, tangent = (cells[key].where(fit["kept"]) for key in (name, f"{name}_tangent"))
        agreed = stats.agreement(ensemble, tangent, pool=("learning_rate",))
        parts += [_prefixed(agreed, f"{name}_agreement")]
    plain = [part.drop_attrs(deep=False).reset_coords(drop=True) for part in parts]
    summary = xr.merge([xr.Dataset(means), *plain]).assign(onset=onset)
    estimate, mean = (stats.bounds(part)[0] for part in (onset, means[chaos]))
    summary["chaotic"] = (summary["learning_rate"] >= estimate) & (mean > level)
    return summary.assign_attrs(threshold=threshold, level=level, horizon=float(dataset["time"][-1]))


def _last_sharpness(dataset: xr.Dataset) -> xr.DataArray:
    sharpness = dataset["sharpness"].isel(eigenvalue=0)
    last_measured = int(sharpness.notnull().any(["learning_rate", "seed"]).cumsum("time").argmax("time"))
    return sharpness.isel(time=last_measured, drop=True).where(dataset["alive"].isel(time=-1, drop=True))


def _prefixed(part: xr.Dataset, prefix: str) -> xr.Dataset:
    return part.rename({name: f"{prefix}_{name}" for name in part})


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
    level, threshold = summary.attrs["level"], summary.attrs["threshold"]
    for name, label in ONSETS.items():
        grid.add_row(f"onset η_c, {label} above {0 if name == 'whole' else level:g}", onset_of(summary, name))
    grid.add_row("fastest η", stats.format_interval(summary["best_fastest"]))
    grid.add_row(
        f"  its training time to {threshold:.0%}", stats.format_interval(summary["best_training_time"], "steps")
    )
    others, reached = float(summary["gain_non_chaotic"]), float(summary["gain_non_chaotic_reached"])
    note = "" if np.isnan(others) else f"  (best η below η_c: {others:.3g}"
    note += "" if not note else ")" if reached == 1 else f", reached by {reached:.0%} of its seeds)"
    grid.add_row("speed-up of the best η in chaos", stats.format_interval(summary["gain_speed_up"]) + note)
    for name, label in {"fit": "study's fit", "steepest": "steepest"}.items():
        compared = int(summary[f"{name}_agreement_compared"])
        gap = stats.format_interval(summary[f"{name}_agreement_difference"], "nats/step")
        relative = f"median |difference| {float(summary[f'{name}_agreement_relative']):.1%}, {compared} cells kept"
        grid.add_row(f"ensemble − tangent, {label}", f"{gap}  ({relative})" if compared else "no cell kept")
    grid.caption = "[95 % interval over seeds]; kept: R² > 0.9 and exponent > 0.05"
    return [title_of(dataset), grid, _cost(dataset)]


def onset_of(summary: xr.Dataset, name: str) -> str:
    """One of `ONSETS` in words."""
    at_or_below = "at or below " if bool(summary[f"{name}_censored"]) else ""
    return at_or_below + stats.format_interval(summary[f"{name}_onset"])


def _cost(dataset: xr.Dataset) -> str:
    cells = dataset["alive"].isel(time=0).size
    return (
        f"{cells} cells × {int(dataset['time'][-1])} steps in {dataset.attrs['wall_seconds']:.0f} s after "
        f"{dataset.attrs['compile_seconds']:.0f} s of compilation: "
        f"{dataset.attrs['cell_steps_per_second']:.0f} cell-steps/s on {dataset.attrs['devices']}"
    )


report = Experiment(summarise, figures, table=table)
