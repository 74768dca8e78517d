"""The program `chaosjax`: `run`, `plot`, `explore` and `find-lr` of `experiments/`, with what `conf/` holds."""

import argparse
import importlib
import sys
from pathlib import Path

COMMANDS = {
    "run": "run an experiment, or a multirun of several: chaosjax run dataset=iris run=quick",
    "find-lr": "find a learning rate: chaosjax find-lr dataset=iris optimizer=adam find_lr.budget=600",
    "plot": "draw a finished job or multirun again: chaosjax plot outputs/DATE/TIME",
    "explore": "write a page to click through a job's records: chaosjax explore outputs/DATE/TIME",
}


def main() -> None:
    """Hand the arguments on to a command's own `main`."""
    parser = argparse.ArgumentParser(
        prog="chaosjax",
        description="Train neural networks as dynamical systems and measure them.",
        epilog="chaosjax COMMAND --help lists what a command takes.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, words in COMMANDS.items():
        commands.add_parser(name, help=words)
    command = parser.parse_args(sys.argv[1:2]).command
    sys.argv[:2] = [f"chaosjax {command}"]
    sys.path.insert(0, str(home()))
    importlib.import_module(f"experiments.{command.replace('-', '_')}").main()


def home() -> Path:
    """The folder with `conf` and `experiments`: inside the package where it is installed, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "_program"
    return installed if installed.exists() else package.parent
