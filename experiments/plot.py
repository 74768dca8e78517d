"""Draw a finished job or multirun again from its folder alone: `chaosjax plot FOLDER`.

In a checkout, `python -m experiments.plot FOLDER` is the same.
"""

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import chaosjax
from experiments._experiment import Experiment
from experiments._stores import finished_jobs, jobs_in, records_of
from experiments.jobs import find_modules_in


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder of a finished job, or of a multirun with one report")
    parser.add_argument("--module", help="a module of your own whose report the job names, such as mine")
    parser.add_argument("--config-dir", "-cd", type=Path, help="where that module is, if not in the current folder")
    given = parser.parse_args()
    one = (given.folder / "sweep.zarr").exists()
    jobs = [given.folder] if one else jobs_in(given.folder)
    configs = [job / "config.yaml" for job in jobs if (job / "config.yaml").exists()]
    if not configs:
        sys.exit(f"error: {given.folder} holds no config.yaml and sweep.zarr; give the folder of a finished job")
    config: Any = OmegaConf.to_container(OmegaConf.load(configs[0]))
    if not one and not config.get("together"):
        sys.exit(f"error: {given.folder} is a multirun whose jobs have reports of their own; give the folder of one")
    if given.module:
        find_modules_in(given.config_dir)
    chaosjax.configure(x64=bool(config["precision"]["x64"]))
    settings = config.get("report") or {}
    report = report_named(str(settings.get("_target_")), given.module)
    plain = {name: value for name, value in settings.items() if not name.startswith("_")}
    try:
        records = records_of(given.folder) if one else finished_jobs(given.folder)
    except ValueError as error:
        sys.exit(f"error: {error}")
    report(records, given.folder, **plain)


def report_named(target: str, own: str | None = None) -> Experiment:
    """The report that a stored configuration names, out of `experiments` or of a module named by the user only."""
    module, _, name = target.rpartition(".")
    why = ""
    if module == own or module.split(".")[0] == "experiments":
        try:
            report = getattr(importlib.import_module(module), name, None)
        except ModuleNotFoundError as error:
            report, why = None, f" ({error})"
        if isinstance(report, Experiment):
            return report
    there = "in experiments, or in the module given by --module"
    sys.exit(f"error: {target!r} is not called: it is no report {there}{why}")


if __name__ == "__main__":
    main()
