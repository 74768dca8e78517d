"""Common noise against independent noise: minibatches of their own part two copies that no chaos does."""

from pathlib import Path

import numpy as np
import xarray as xr
from edge_of_chaos import title_of
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from chaosjax import stats

CURVES = {
    "common": "perturbed, common minibatches",
    "independent": "perturbed, minibatches of its own",
    "null": "not perturbed, minibatches of its own",
}


def report(dataset: xr.Dataset, folder: Path, level: float = 0.05) -> None:
    """Writes summary.zarr, table.txt and a figure into the folder, and prints the table.

    Args:
        level: exponent in nats per step above which a window counts as chaotic.
    """
    summary = summarise(dataset.load(), level)
    summary.to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
    title = title_of(dataset)
    _figure(dataset, summary, title).savefig(folder / "noise.png", dpi=150)
    table = _table(summary)
    with (folder / "table.txt").open("w") as file:
        for console in (Console(markup=False, highlight=False, width=110), Console(file=file, markup=False, width=110)):
            console.print(title, table, sep="\n", soft_wrap=True)
    print(f"Figure, table and records: {folder}")


def distances(dataset: xr.Dataset) -> xr.Dataset:
    """The three kinds of distance, ``[learning_rate, seed, time]``; copies are averaged."""
    common, independent = (dataset[name].mean("copy", skipna=False) for name in ("distance", "noisy"))
    return xr.Dataset({"common": common, "independent": independent, "null": dataset["noisy_null"]})


def summarise(dataset: xr.Dataset, level: float = 0.05) -> xr.Dataset:
    """Exponents of the steepest window under common noise, with intervals, and whether they mean instability.

    Only the common-noise ensemble and the tangent measure the map. `excess` is the final distance under
    independent noise over that of its unperturbed copy: about 1 says that the perturbation made no difference, so
    whatever rate that distance grew at is the noise's.
    """
    kinds = distances(dataset)
    fit = stats.exponential_window(kinds["common"], select="slope")
    exponents = {"ensemble": fit["exponent"]}
    exponents["tangent"] = stats.finite_time_exponents(dataset["growth"].isel(exponent=0), fit["start"], fit["stop"])
    last = kinds.isel(time=-1, drop=True)
    cells = {**exponents, "excess": last["independent"] / last["null"]}
    parts = []
    for name, values in cells.items():
        interval = stats.mean_interval(values)
        parts.append(interval.rename({key: name if key == "estimate" else f"{name}_{key}" for key in interval}))
    summary = xr.merge([part.drop_attrs(deep=False).reset_coords(drop=True) for part in parts])
    summary["unstable"] = summary["tangent_low"] > level
    summary["stable"] = summary["tangent_high"] <= level
    return summary.assign_attrs(level=level)


def _table(summary: xr.Dataset) -> Table:
    table = Table("η", "ensemble, common noise", "tangent", "own noise: d / d of the null", "unstable")
    for eta in summary["learning_rate"].values:
        row = summary.sel(learning_rate=eta)
        shown = [
            f"{float(row[n]):.3g} [{float(row[f'{n}_low']):.2g}, {float(row[f'{n}_high']):.2g}]"
            for n in ("ensemble", "tangent", "excess")
        ]
        table.add_row(f"{eta:.3g}", *shown, _verdict(row))
    table.caption = (
        f"nats/step in the steepest window, mean over seeds [95 % interval]; unstable: tangent above "
        f"{summary.attrs['level']:g}"
    )
    return table


def _verdict(row: xr.Dataset) -> str:
    return "yes" if bool(row["unstable"]) else "no" if bool(row["stable"]) else "undecided"


def _figure(dataset: xr.Dataset, summary: xr.Dataset, title: str) -> Figure:
    kinds = distances(dataset)
    etas = kinds["learning_rate"].values
    shown = etas[np.unique(np.linspace(0, len(etas) - 1, 3).round().astype(int))]
    figure = Figure(figsize=(3.4 * len(shown), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(shown), sharey=True))
    for ax, eta in zip(panels, shown, strict=True):
        for name, label in CURVES.items():
            cells = kinds[name].sel(learning_rate=eta)
            logarithm = xr.ufuncs.log(cells.where(cells > 0))
            ax.plot(cells["time"], np.exp(logarithm.mean("seed")), label=label, linewidth=1.5)
        ax.set_title(f"η = {eta:.3g}; unstable: {_verdict(summary.sel(learning_rate=eta))}", fontsize="small")
        ax.set_yscale("log")
        ax.set_xlabel("time t (steps)")
    norm = dataset["distance"].attrs.get("norm", "").upper()
    panels[0].set_ylabel(f"distance d(t), geometric mean over seeds ({norm})")
    panels[-1].legend(fontsize="x-small")
    figure.suptitle(title, fontsize="small")
    return figure
