"""Run an experiment: `chaosjax run [--config-dir FOLDER] [experiment=NAME] [group=choice …] [-m]`.

`chaosjax run --help` lists the groups and their choices. FOLDER holds configurations of the user's own, in groups of
the same names, and the modules that they name. Modules are also found in the current folder. What is installed comes
first, and `experiments` is always this package. In a checkout, `python -m experiments.run` does the same.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import xarray as xr
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

import chaosjax
from experiments import processes
from experiments._forecast import forecast
from experiments._stores import records_of
from experiments.jobs import (
    CONF,
    TERMINATED,
    cause_of,
    check_names,
    check_place,
    explained,
    find_modules_in,
    own_folder,
    terminable,
)


def main() -> None:
    """Run what the command line asks for."""
    folder, overrides = own_folder(sys.argv[1:])
    check_names(overrides, folder)
    check_place(overrides)
    find_modules_in(folder)
    job()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> str | None:
    """Run one job; return what made it fail, since a failed job of a multirun does not stop the others."""
    settings = HydraConfig.get()
    folder, many = Path(settings.runtime.output_dir), settings.mode == RunMode.MULTIRUN
    place = f"hydra.sweep.dir={settings.sweep.dir}" if many else f"hydra.run.dir={folder}"
    try:
        instantiate(config.precision)
        if config.distributed:
            instantiate(config.distributed)
        run(config, folder)
    except KeyboardInterrupt as stop:
        sys.exit(f"{str(stop) or 'stopped'} (the same command with {place})")
    except SystemExit as stop:
        if stop.code == TERMINATED:
            print(f"the same command with {place} goes on", file=sys.stderr)
        raise
    except Exception as error:
        if config.missing_data == "skip" and isinstance(cause_of(error), FileNotFoundError):
            print(f"skipped: {explained(error)}", file=sys.stderr)
            return None
        message = explained(error)
        if not many or processes.several():
            processes.give_up(f"error: {message}")
        print(f"error: {settings.sweep.subdir}: {message}", file=sys.stderr)
        return message
    return None


def run(config: DictConfig, folder: Path) -> None:
    """Sweep into a job's folder, then the sweeps that follow from its records, then the report, if it has its own."""
    config.probes = {name: probe for name, probe in config.probes.items() if probe is not None}
    if processes.is_first():
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
    store = folder / "sweep.zarr"
    with terminable():  # a sweep hears the signal by itself
        report = instantiate(config.report) if config.report and not config.together else None
        sweep = instantiate(config.sweep, _partial_=True, _convert_="all")
        if config.forecast and not store.exists() and processes.is_first():
            forecast(sweep.keywords)
    dataset = sweep(store=store, config=OmegaConf.to_container(config, resolve=True))
    if config.after:
        instantiate(config.after)(dataset, partial(further, folder))
    if report and processes.is_first():
        with terminable():
            report(records_of(folder), folder)


def further(folder: Path, name: str, *arguments: Any, **options: Any) -> xr.Dataset:
    """Run a sweep that follows from a job's records, into a store of its own beside them, or open it."""
    return chaosjax.sweep(*arguments, store=folder / f"{name}.zarr", resume=True, progress=False, **options)


if __name__ == "__main__":
    main()
