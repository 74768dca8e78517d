"""Studies of several programs: when a multirun has ended, one report over the records of all its jobs."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xarray as xr
from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class Collect(Callback):
    """Calls ``report({job: dataset}, folder)`` with every finished job, by its folder's name, in their order."""

    def __init__(self, report: Callable[[dict[str, xr.Dataset], Path], None]):
        self.report = report

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        sys.path.append(str(Path(__file__).parent))
        self.report(finished(folder), folder)


def finished(folder: Path) -> dict[str, xr.Dataset]:
    """The datasets of a multirun's finished jobs, by job."""
    stores = sorted(folder.glob("*/sweep.zarr"), key=lambda store: store.stat().st_ctime)
    opened = {store.parent.name: xr.open_zarr(store, consolidated=False, chunks=None) for store in stores}
    return {name: dataset for name, dataset in opened.items() if "finished" in dataset.attrs}
