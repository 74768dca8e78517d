"""Runs one study: `python experiments/run.py [group=choice …] [-m]`; see conf/ for the groups."""

import sys
from pathlib import Path

import hydra
from forecast import forecast
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Precision first, then the sweep into the job's folder, then its report, if it has one of its own."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        instantiate(config.precision)
        sweep = instantiate(config.sweep, _partial_=True, _convert_="all")
        record = OmegaConf.to_container(config, resolve=True)
        store = folder / "sweep.zarr"
        if config.forecast and not store.exists():
            forecast(sweep.keywords)
        dataset = sweep(store=store, config=record)
        if "report" in config:
            instantiate(config.report)(dataset, folder)
    except KeyboardInterrupt as stop:
        many = HydraConfig.get().mode == RunMode.MULTIRUN
        place = f"hydra.sweep.dir={HydraConfig.get().sweep.dir}" if many else f"hydra.run.dir={folder}"
        sys.exit(f"{stop} (the same command with {place})")
    except (ValueError, OSError, InstantiationException) as error:
        cause = error.__cause__ or error
        if not (config.missing_data == "skip" and isinstance(cause, FileNotFoundError)):
            sys.exit(f"error: {cause}")
        print(f"skipped: {cause}", file=sys.stderr)


if __name__ == "__main__":
    main()
