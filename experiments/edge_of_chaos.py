"""The edge-of-chaos map: where training turns chaotic, where it is fastest, and how sharp the loss is there."""

import re
from pathlib import Path

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from chaosjax import plotting, stats

ONSETS = {
    "steepest_tangent": "steepest window",
    "fit": "study's fit",
    "whole": "whole run",
}
"""The exponents whose onset is reported; the first one defines the chaotic range."""


def report(dataset: xr.Dataset, folder: Path, threshold: float = 0.9, level: float = 0.05) -> None:
    """Writes summary.zarr, table.txt and two figures into the folder, and prints the table.

    Args:
        threshold: test accuracy that ends the training time.
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
    """
    dataset = dataset.load()
    summary = summarise(dataset, threshold, level)
    summary.to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    title = title_of(dataset)
    plotting.edge_of_chaos(summary, title).savefig(folder / "edge_of_chaos.png", dpi=150)
    local = stats.local_exponents(dataset["growth"].isel(exponent=0))
    figure = plotting.perturbation_growth(dataset["distance"], local, _shown(summary), title)
    figure.savefig(folder / "divergence.png", dpi=150)
    with (folder / "table.txt").open("w") as file:
        for console in (Console(markup=False, highlight=False), Console(file=file, markup=False, width=110)):
            console.print(title, _table(summary), _cost(dataset), sep="\n", soft_wrap=True)
    print(f"Figures, table and records: {folder}")


def summarise(dataset: xr.Dataset, threshold: float | xr.DataArray = 0.9, level: float = 0.05) -> xr.Dataset:
    """Means over seeds with 95 % intervals at every learning rate; the onset, the optimum and the speed-up.

    The chaotic range begins at the onset η_c of the tangent exponent in the steepest window of the ensemble
    (`stats.onset` at `level`) and holds the learning rates from there whose mean is above `level`. The study's
    fit takes the straightest window instead, which passes over a short transient.

    Args:
        dataset: a sweep over learning_rate and seed with records distance, growth, test_accuracy and, if there is
            one, sharpness.
        threshold: test accuracy that ends the training time; several along a dimension of their own.
    """
    growth, accuracy = dataset["growth"].isel(exponent=0), dataset["test_accuracy"]
    fits = {
        name: stats.exponential_window(dataset["distance"], select=select)
        for name, select in {"fit": "r2", "steepest": "slope"}.items()
    }
    cells = {"whole": stats.finite_time_exponents(growth)}
    for name, fit in fits.items():
        cells[name] = fit["exponent"]
        cells[f"{name}_tangent"] = stats.finite_time_exponents(growth, fit["start"], fit["stop"])
    if "sharpness" in dataset:
        cells["stability"] = _last_sharpness(dataset) * dataset["learning_rate"] / 2
    parts = [_prefixed(stats.mean_interval(values), name) for name, values in cells.items()]
    parts += [_prefixed(fits["fit"]["kept"].mean("seed").to_dataset(name="kept"), "fit")]
    parts += [stats.training_time(accuracy, threshold), _prefixed(stats.fastest(accuracy, threshold), "best")]
    onsets = {name: stats.onset(cells[name], level=0.0 if name == "whole" else level) for name in ONSETS}
    parts += [_prefixed(onset, name) for name, onset in onsets.items()]
    chaos = next(iter(ONSETS))
    parts += [_prefixed(stats.speed_up(accuracy, onsets[chaos]["onset"], threshold), "gain")]
    for name, fit in fits.items():
        ensemble, tangent = (cells[key].where(fit["kept"]) for key in (name, f"{name}_tangent"))
        parts += [_prefixed(stats.agreement(ensemble, tangent, pool=("learning_rate",)), f"{name}_agreement")]
    summary = xr.merge([part.drop_attrs(deep=False).reset_coords(drop=True) for part in parts])
    onset = onsets[chaos]["onset"]
    summary["chaotic"] = (summary["learning_rate"] >= onset) & (summary[chaos] > level)
    summary = summary.assign({f"onset{end}": summary[f"{chaos}_onset{end}"] for end in ("", "_low", "_high")})
    horizon = float(dataset["time"][-1])
    return summary.assign_attrs(threshold=np.asarray(threshold).tolist(), level=level, horizon=horizon)


def _last_sharpness(dataset: xr.Dataset) -> xr.DataArray:
    sharpness = dataset["sharpness"].isel(eigenvalue=0)
    last_measured = int(sharpness.notnull().any(["learning_rate", "seed"]).cumsum("time").argmax("time"))
    return sharpness.isel(time=last_measured, drop=True).where(dataset["alive"].isel(time=-1, drop=True))


def _prefixed(part: xr.Dataset, prefix: str) -> xr.Dataset:
    return part.rename({name: prefix if name == "estimate" else f"{prefix}_{name}" for name in part})


def _shown(summary: xr.Dataset, count: int = 6) -> list[float]:
    """A few learning rates over the grid, the fastest among them."""
    eta = summary["learning_rate"].values
    spread = np.geomspace(eta[0], eta[-1], min(count, len(eta)))
    best = float(summary["best_fastest"])
    return sorted({*spread, *([best] if np.isfinite(best) else [])})


def title_of(dataset: xr.Dataset) -> str:
    system = dataset.attrs["identity"]["system"]
    model = re.sub(r"^[\w.]*\.", "", system["model"])
    data = system["dataset"]
    optimizer = re.sub(r"^[\w.]*\.", "", system["optimizer"])
    batch = "full batch" if system["batch_size"] is None else f"batches of {system['batch_size']}"
    seeds = dataset.sizes["seed"]
    return f"{data['name']}, {data['train_samples']} samples, {batch}, {optimizer}, {seeds} seeds\n{model}"


def _table(summary: xr.Dataset) -> Table:
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column()
    level, threshold = summary.attrs["level"], summary.attrs["threshold"]
    for name, label in ONSETS.items():
        bound = 0 if name == "whole" else level
        at_or_below = "at or below " if bool(summary[f"{name}_censored"]) else ""
        table.add_row(f"onset η_c, {label} above {bound:g}", at_or_below + _interval(summary, f"{name}_onset"))
    table.add_row("fastest η", _interval(summary, "best_fastest"))
    table.add_row(f"  its training time to {threshold:.0%}", _interval(summary, "best_training_time", " steps"))
    others, reached = float(summary["gain_non_chaotic"]), float(summary["gain_non_chaotic_reached"])
    note = "" if np.isnan(others) else f"  (best η below η_c: {others:.3g}"
    note += "" if not note else ")" if reached == 1 else f", reached by {reached:.0%} of its seeds)"
    table.add_row("speed-up of the best η in chaos", _interval(summary, "gain_speed_up") + note)
    for name, label in {"fit": "study's fit", "steepest": "steepest"}.items():
        compared = int(summary[f"{name}_agreement_compared"])
        if not compared:
            table.add_row(f"ensemble − tangent, {label}", "no cell kept")
            continue
        gap = _interval(summary, f"{name}_agreement_difference", " nats/step")
        relative = f"median |difference| {float(summary[f'{name}_agreement_relative']):.1%}, {compared} cells kept"
        table.add_row(f"ensemble − tangent, {label}", f"{gap}  ({relative})")
    table.caption = "[95 % interval over seeds]; kept: R² > 0.9 and exponent > 0.05"
    return table


def _interval(summary: xr.Dataset, name: str, unit: str = "") -> str:
    value, low, high = (float(summary[f"{name}{end}"]) for end in ("", "_low", "_high"))
    if np.isnan(value):
        return "none found"
    if np.isnan(low):
        return f"{value:.3g}{unit} (no interval)"
    return f"{value:.3g} [{low:.3g}, {high:.3g}]{unit}"


def _cost(dataset: xr.Dataset) -> str:
    cells = dataset["alive"].isel(time=0).size
    return (
        f"{cells} cells × {int(dataset['time'][-1])} steps in {dataset.attrs['wall_seconds']:.0f} s after "
        f"{dataset.attrs['compile_seconds']:.0f} s of compilation: "
        f"{dataset.attrs['cell_steps_per_second']:.0f} cell-steps/s on {dataset.attrs['devices']}"
    )
