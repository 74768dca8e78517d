"""Draws a finished job again from its folder alone: `python experiments/plot.py FOLDER`."""

import sys
from pathlib import Path

import xarray as xr
from hydra.utils import instantiate
from omegaconf import OmegaConf


def main(folder: Path) -> None:
    """The report named in the folder's config.yaml, over its sweep.zarr."""
    config, store = folder / "config.yaml", folder / "sweep.zarr"
    if not (config.exists() and store.exists()):
        sys.exit(f"error: {folder} holds no config.yaml and sweep.zarr; give the folder of a finished job")
    report = instantiate(OmegaConf.load(config).report)
    report(xr.open_zarr(store, consolidated=False, chunks=None), folder)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python experiments/plot.py FOLDER")
    main(Path(sys.argv[1]))
