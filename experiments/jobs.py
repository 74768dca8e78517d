"""What goes wrong in jobs, in words, and what happens when a multirun has ended."""

import argparse
import hashlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

from hydra.core.utils import JobReturn
from hydra.errors import InstantiationException
from hydra.experimental.callback import Callback
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import chaosjax
from experiments import processes
from experiments._stores import finished_jobs

CONF = Path(__file__).parents[1] / "conf"

LONGEST_NAME = 200
"""Bytes of a job's folder name; file systems take 255."""


TERMINATED = 128 + signal.SIGTERM
"""Exit status of a job that SIGTERM has ended."""


MOST_FAILED = 100
"""The exit status of a multirun is the number of its failed jobs, up to here: above 125 a shell means other things."""


class Jobs(Callback):
    """At the end of a multirun: one report over the records of all jobs, if it is to be `together`, and what failed."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.count = 0

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        self.count += 1
        if job_return.return_value:
            self.failed.append(config.hydra.sweep.subdir)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder, wrong = Path(config.hydra.sweep.dir), []
        if config.together and processes.is_first():
            try:
                jobs = finished_jobs(folder)
                if not jobs:
                    raise ValueError(f"no job in {folder} has finished, so there is no report")
                instantiate(config.report)(jobs, folder)
            except Exception as error:
                wrong.append(explained(error))
        if self.failed:
            wrong.append(f"{len(self.failed)} of {self.count} jobs failed: {', '.join(self.failed)}")
        if wrong:
            print("\n".join(f"error: {line}" for line in wrong), file=sys.stderr)
            sys.exit(min(max(1, len(self.failed)), MOST_FAILED))


def cause_of(error: BaseException) -> BaseException:
    """The error itself, without Hydra's words around it: they name a Python object, the cause says what is wrong."""
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    return error


def explained(error: BaseException) -> str:
    """What went wrong and what to do: an error's message, and that of its cause where it adds something.

    An error that no message was written for is shown with its traceback.
    """
    error = cause_of(error)
    worded = ValueError | OSError | MemoryError | ImportError | InstantiationException | OmegaConfBaseException
    if not isinstance(error, worded) and not (isinstance(error, TypeError) and _raised_by_chaosjax(error)):
        traceback.print_exception(error)
    said, cause = str(error) or type(error).__name__, str(error.__cause__ or "")
    return said if cause in said else f"{said} ({cause})"


def _raised_by_chaosjax(error: BaseException) -> bool:
    """Whether a check of ours objected, in words of its own."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).is_relative_to(Path(chaosjax.__file__).parent)


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, where it would end the process without a word, end it by an exit that can be told."""

    def end(number: int, frame: Any) -> None:
        sys.exit(TERMINATED)

    ours = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and current_thread() is main_thread()
    if ours:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def names_in(folder: Path) -> list[str]:
    """The experiments whose yaml is under experiment/ of a folder of configurations."""
    top = folder / "experiment"
    return sorted(str(path.relative_to(top).with_suffix("")) for path in top.rglob("*.yaml"))


def check_names(overrides: Sequence[str], folder: Path | None = None) -> None:
    """Exit with a list of all experiments where `experiment=` names none of them: Hydra's own list has no folders.

    Args:
        overrides: as they stand on the command line.
        folder: configurations of the user's own.
    """
    known = names_in(CONF) + (names_in(folder) if folder else [])
    pairs = [override.partition("=") for override in overrides]
    chosen = [values for name, _, values in pairs if name == "experiment" and "(" not in values]
    for name in (name.strip(" '\"") for values in chosen for name in values.split(",")):
        if name not in (*known, "null"):
            sys.exit(f"error: there is no experiment {name!r}; choose from {', '.join(known)}")


def check_place(arguments: Sequence[str]) -> None:
    """Exit with a sentence where the folder of the results cannot be made: Hydra answers with two tracebacks."""
    if {"--help", "-h", "--hydra-help", "--cfg", "-c", "--info", "-i"} & set(arguments):
        return
    many = {"--multirun", "-m"} & set(arguments)
    places = [("hydra.sweep.dir", "multirun") if many else ("hydra.run.dir", "outputs")]
    for argument in arguments:  # an experiment can be a multirun without -m: what is given counts
        name, _, value = argument.partition("=")
        if name in ("hydra.sweep.dir", "hydra.run.dir"):
            places.append((name, value))
    key, place = places[-1]
    folder = Path(place.strip("'\"").partition("${")[0]).absolute()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        sys.exit(f"error: {folder} cannot be made, since {there} cannot be written; set {key}= to a folder of your own")


def own_folder(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """The folder of configurations of the user's own, if one is given, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    given, rest = parser.parse_known_args(arguments)
    return given.config_dir, rest


def find_modules_in(folder: Path | None) -> None:
    """Let Python look for modules in a folder and in the current one, after all that is installed."""
    sys.path += [str(place.resolve()) for place in (folder, Path.cwd()) if place]


def folder_name(overrides: str) -> str:
    """The name of a job's folder: its overrides, with a hash in place of the end where they are too long for one.

    The slash of experiment=danovski/fig8 becomes a dot: all jobs lie side by side.
    """
    overrides = overrides.replace("/", ".")
    whole = overrides.encode()
    if len(whole) <= LONGEST_NAME:
        return overrides
    return f"{whole[: LONGEST_NAME - 17].decode(errors='ignore')}-{hashlib.sha256(whole).hexdigest()[:16]}"


OmegaConf.register_new_resolver("folder_name", folder_name, replace=True)
