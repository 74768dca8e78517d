"""Where the records of a job lie: sweep.zarr in its folder, and those of further sweeps beside it."""

from pathlib import Path

import xarray as xr

import chaosjax


def records_of(job: Path) -> xr.Dataset | dict[str, xr.Dataset]:
    """The dataset of a job's sweep, or if it made several, each by the name of its store."""
    stores = [path for path in sorted(job.glob("*.zarr")) if path.stem != "summary"]
    opened = {path.stem: chaosjax.open_sweep(path) for path in stores}
    return opened["sweep"] if list(opened) == ["sweep"] else opened


def finished_jobs(multirun: Path) -> dict[str, xr.Dataset]:
    """The datasets of a multirun's finished jobs, by job and in their order."""
    stores = sorted(multirun.glob("*/sweep.zarr"), key=lambda store: store.stat().st_ctime)
    opened = {store.parent.name: chaosjax.open_sweep(store) for store in stores}
    return {name: dataset for name, dataset in opened.items() if "finished" in dataset.attrs}
