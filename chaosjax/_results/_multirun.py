"""The jobs of a multirun as one dataset."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from chaosjax._results._reading import open_sweep, recorded_until


def open_multirun(folder: str | Path, store: str = "sweep.zarr", *, finished: bool = False) -> xr.Dataset:
    """Join the jobs of a Hydra multirun, with the overrides in which they differ as dims.

    Arrays are dask's, chunk by chunk as they are stored: nothing is read before it is used. The coordinate
    ``recorded_until`` is the time of a job's last record [steps], of an unfinished one that of its last checkpoint.

    An axis of the sweeps whose values differ between jobs (each optimizer's own learning rates) becomes
    ``AXIS_index``, with the values as a coordinate ``AXIS`` over the jobs and that index. Combinations that no job
    holds, and records that are not computed yet, are NaN.

    Args:
        folder: the multirun's folder: each job in a folder of its own, with its store and ``.hydra/overrides.yaml``.
        store: name of the store in a job's folder.
        finished: only the jobs that have come to their end.

    Cost: of every store the metadata, and a look whether all its chunks are there. A chunk that was altered raises when
    it is read.

    Raises:
        FileNotFoundError: if no job lies there.
        ValueError: if two jobs have the same overrides, or a store is damaged.
    """
    found = []
    for path in stores_in(Path(folder).expanduser(), store):
        ds = open_sweep(path, chunks={}, read=False)
        if "finished" in ds.attrs or not finished:
            about = {"long_name": "time of the last record", "units": "steps"}
            ds = ds.assign_coords(recorded_until=((), recorded_until(path), about))
            found.append((_overrides(path.parent), ds))
    if not found:
        raise FileNotFoundError(f"{folder} holds no {'finished job' if finished else 'job'}: no {store}")
    names = dict.fromkeys(name for overrides, _ in found for name in overrides)
    varied = [name for name in names if len({str(overrides.get(name)) for overrides, _ in found}) > 1]
    datasets = _on_common_axes([ds for _, ds in found])
    labelled = {}
    for (overrides, _), ds in zip(found, datasets, strict=True):
        values = tuple(overrides.get(name, "") for name in varied)
        if values in labelled:
            raise ValueError(f"{folder}: two jobs have the overrides {dict(zip(varied, values, strict=True))}")
        own = [str(name) for name in ds.coords if name not in ds.dims]  # an axis of the job's own is expanded too
        expanded = ds.reset_coords(own).expand_dims(dict(zip(varied, ([value] for value in values), strict=True)))
        labelled[values] = expanded.set_coords(own)
    if not varied:
        return datasets[0]
    options: Any = {"coords": "minimal", "join": "outer", "combine_attrs": "drop_conflicts"}
    joined: Any = xr.combine_by_coords(list(labelled.values()), **options)
    return joined


def stores_in(folder: Path, store: str) -> list[Path]:
    """The stores of that name in the folders of a multirun's jobs, which may lie in folders of folders."""
    found = []
    for place, folders, _ in os.walk(folder):
        if store in folders:
            found.append(Path(place) / store)
        folders[:] = [name for name in folders if not name.endswith(".zarr")]
    return sorted(found)


def _overrides(job: Path) -> dict[str, Any]:
    """The job's overrides, numbers as numbers."""
    path = job / ".hydra/overrides.yaml"
    listed = yaml.safe_load(path.read_text()) if path.exists() else []
    pairs = (entry.lstrip("+~").partition("=") for entry in listed)
    return {name: _scalar(value) for name, _, value in pairs if not name.startswith("hydra.")}


def _scalar(text: str) -> Any:
    value = yaml.safe_load(text)
    if isinstance(value, str):
        try:
            return float(value)  # 1e-3 is a text in YAML 1.1
        except ValueError:
            return value
    return text if isinstance(value, list | dict) else value


def _on_common_axes(datasets: list[xr.Dataset]) -> list[xr.Dataset]:
    """Axes that differ between the datasets by an index, their values as a coordinate."""
    dims = dict.fromkeys(str(dim) for ds in datasets for dim in ds.dims)
    for dim in dims:
        holding = [ds[dim].values for ds in datasets if dim in ds.coords]
        if len(holding) != len(datasets) or all(np.array_equal(values, holding[0]) for values in holding):
            continue
        if dim == "time":  # runs of different lengths: the shorter are NaN behind their end
            continue
        index = f"{dim}_index"
        datasets = [
            ds.rename_dims({dim: index}).reset_index(dim).assign_coords({index: np.arange(ds.sizes[dim])})
            for ds in datasets
        ]
        datasets = [ds.reset_coords(dim).set_coords(dim) for ds in datasets]
    return datasets
