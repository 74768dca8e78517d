"""Where the records of a job lie: sweep.zarr in its folder, and those of further sweeps beside it."""

from pathlib import Path
from typing import Any

import xarray as xr

import chaosjax


def records_of(job: Path) -> xr.Dataset | dict[str, xr.Dataset]:
    """The dataset of a job's sweep, or if it made several, each by the name of its store."""
    stores = [path for path in sorted(job.glob("*.zarr")) if path.stem != "summary"]
    opened = {path.stem: chaosjax.open_sweep(path) for path in stores}
    return opened["sweep"] if list(opened) == ["sweep"] else opened


def finished_jobs(multirun: Path) -> dict[str, Any]:
    """The records of a multirun's finished jobs as `records_of` returns them, by job and in their order."""
    stores = sorted(multirun.glob("*/sweep.zarr"), key=lambda store: store.stat().st_ctime)
    return {store.parent.name: records_of(store.parent) for store in stores if _is_finished(store)}


def _is_finished(store: Path) -> bool:
    return "finished" in chaosjax.open_sweep(store, read=False).attrs
