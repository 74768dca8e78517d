"""Write an explorer of each sweep in the folder of a job: `chaosjax explore FOLDER`.

In a checkout, `python -m experiments.explore FOLDER` is the same. An explorer is one HTML file to click through, which
opens without a network.
"""

import argparse
import sys
from pathlib import Path

import xarray as xr

from chaosjax import plotting
from experiments._drawing import title_of
from experiments._stores import finished_jobs, records_of


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of a job, or of a multirun")
    folder = parser.parse_args().folder
    if (folder / "sweep.zarr").exists():
        records = records_of(folder)
        parts = {"sweep": records} if isinstance(records, xr.Dataset) else records
    else:
        parts = finished_jobs(folder)
    if not parts:
        sys.exit(f"error: {folder} holds no sweep.zarr, nor finished jobs that do; give the folder of a job")
    for name, part in parts.items():
        print(write(part, folder / ("explorer.html" if name == "sweep" else f"explorer_{name}.html")))


def write(records: xr.Dataset, path: Path) -> Path:
    """Write the explorer of one sweep under its title, and return its path."""
    return plotting.explore(records, title_of(records)).save(path)


if __name__ == "__main__":
    main()
