"""Where the records of a job lie: sweep.zarr in its folder, and those of further sweeps beside it."""

import os
from pathlib import Path
from typing import Any

import xarray as xr

import chaosjax


def records_of(job: Path) -> xr.Dataset | dict[str, xr.Dataset]:
    """The dataset of a job's sweep, or if it made several, each by the name of its store."""
    stores = [path for path in sorted(job.glob("*.zarr")) if path.stem != "summary"]
    opened = {path.stem: chaosjax.open_sweep(path) for path in stores}
    return opened["sweep"] if list(opened) == ["sweep"] else opened


def jobs_in(multirun: Path) -> list[Path]:
    """The folders of a multirun's jobs that have a store; some lie in folders of folders."""
    found = []
    for place, folders, _ in os.walk(multirun):
        if "sweep.zarr" in folders:
            found.append(Path(place))
        folders[:] = [name for name in folders if not name.endswith(".zarr")]
    return sorted(found)


def finished_jobs(multirun: Path) -> dict[str, Any]:
    """The records of a multirun's finished jobs as `records_of` returns them, by job and in their order."""
    stores = sorted((job / "sweep.zarr" for job in jobs_in(multirun)), key=lambda store: store.stat().st_ctime)
    finished = [store.parent for store in stores if _is_finished(store)]
    return {str(job.relative_to(multirun)).replace(os.sep, "."): records_of(job) for job in finished}


def _is_finished(store: Path) -> bool:
    return "finished" in chaosjax.open_sweep(store, read=False).attrs
