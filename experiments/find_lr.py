"""Find a learning rate: `chaosjax find-lr [--config-dir FOLDER] [group=choice …] [find_lr.budget=…]`.

Prints the answer, and writes it with its figure and the records of the probing runs into the job's folder. Data,
networks and optimizers are those of `chaosjax run`, the user's own too; `system.batch_size=64` takes minibatches. In a
checkout, `python -m experiments.find_lr` does the same.
"""

import sys
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from experiments.jobs import CONF, explained, find_modules_in, own_folder


def main() -> None:
    """Search as the command line asks."""
    folder, _ = own_folder(sys.argv[1:])
    find_modules_in(folder)
    job()


@hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")
def job(config: DictConfig) -> None:
    """One search into the job's folder."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    try:
        instantiate(config.precision)
        find(config, folder)
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was stored")
    except Exception as error:
        sys.exit(f"error: {explained(error)}")


def find(config: DictConfig, folder: Path) -> None:
    """Search, print the answer, and write answer.txt, learning_rate.png and round_1.zarr … into a folder."""
    OmegaConf.save(config, folder / "config.yaml", resolve=True)
    found = instantiate(config.find_lr, _convert_="all")
    print(found)
    (folder / "answer.txt").write_text(f"{found}\n")
    data, optimizer = (config[part]["_target_"].rpartition(".")[2] for part in ("dataset", "optimizer"))
    found.plot(f"{data}, {optimizer}").savefig(folder / "learning_rate.png", dpi=150)
    for place, records in enumerate(found.rounds, 1):
        records.drop_encoding().to_zarr(folder / f"round_{place}.zarr", mode="w", consolidated=False)
    print(f"Answer, figure and records: {folder}")


if __name__ == "__main__":
    main()
