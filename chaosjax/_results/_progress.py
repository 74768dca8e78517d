"""The progress bar."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextmanager
def compiling(shown: bool) -> Iterator[None]:
    """Say on standard error that the compiler is at work, and for how long."""
    columns = (TextColumn("compiling"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown, transient=True) as bar:
        bar.add_task("compiling", total=None)
        yield


@contextmanager
def progress_bar(shown: bool, total: int, done: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error over `total` cell-steps; yields ``moved(steps)``."""
    columns = (
        TextColumn("sweep"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        task = bar.add_task("sweep", total=total, completed=done, rate="")
        begun, first = time.perf_counter(), done

        def moved(steps: int) -> None:
            nonlocal done
            done += steps
            rate = (done - first) / (time.perf_counter() - begun)
            bar.update(task, completed=done, rate=f"{rate:,.0f} cell-steps/s")

        yield moved


def report_early_end(shown: bool, length: int, records: int, stride: int) -> None:
    """Say on standard error that a finished run was ended by its `until`, which the present call does not ask for."""
    if shown and length < records:
        print(
            f"this run was ended by until= at t = {(length - 1) * stride} of {(records - 1) * stride} and counts as "
            "finished; for all steps take a new path",
            file=sys.stderr,
        )


def report(shown: bool, words: str) -> None:
    """Say something on standard error."""
    if shown:
        print(words, file=sys.stderr, flush=True)


def report_diverged(shown: bool, diverged: Float[np.ndarray, " cells"]) -> None:
    """Say on standard error how many cells diverged, and when; NaN is never."""
    times = diverged[~np.isnan(diverged)]
    if shown and times.size:
        when = f"at t = {times[0]:g}" if np.ptp(times) == 0 else f"between t = {times.min():g} and {times.max():g}"
        print(f"{times.size} of {diverged.size} cells diverged, {when}", file=sys.stderr)
