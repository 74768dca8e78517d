"""Runs one study: `python experiments/run.py [group=choice …] [-m]`; see conf/ for the groups."""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf


@hydra.main(version_base="1.3", config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Precision first, then the sweep into the job's folder, then its report."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        OmegaConf.save(config, folder / "config.yaml", resolve=True)
        instantiate(config.precision)
        sweep = instantiate(config.sweep, _partial_=True, _convert_="all")
        record = OmegaConf.to_container(config, resolve=True)
        instantiate(config.report)(sweep(store=folder / "sweep.zarr", config=record), folder)
    except KeyboardInterrupt as stop:
        many = HydraConfig.get().mode == RunMode.MULTIRUN
        place = f"hydra.sweep.dir={HydraConfig.get().sweep.dir}" if many else f"hydra.run.dir={folder}"
        sys.exit(f"{stop} (the same command with {place})")
    except (ValueError, OSError, InstantiationException) as error:
        sys.exit(f"error: {error.__cause__ or error}")


if __name__ == "__main__":
    main()
