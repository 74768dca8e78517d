"""Kill a sweep again and again at random moments, and hold what it resumes to against an uninterrupted run.

    python tests/kills.py 1000 [SECONDS]

One process after the other goes on with the same store and is killed (SIGKILL) after a random time between nothing and
a little more than a whole run takes: in the compiler, while the store is made, in mid-chunk, at the end. A finished
store is verified, compared bit for bit, and removed. The processes are forks of this one, which has imported everything
and computes nothing, so that a kill costs little.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from labelled import assert_same_bits

import chaosjax as cj

STATES = ("no store", "an empty store", "a begun store", "a finished store")


class Kills(NamedTuple):
    """What came of them: kills by what the store was then, runs that finished, and those that were not the same."""

    killed: Counter
    finished: int
    different: int


def run(store: Path) -> None:
    """A run of 60 records in chunks of 4, with an ensemble and a tangent frame."""
    probes = {
        "growth": cj.probes.lyapunov(k=2),
        "distance": cj.probes.ensemble(copies=2),
        "x": cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
    }
    settings = {"steps": 59 * 1000, "stride": 1000, "chunk": 4, "cells_per_batch": 2, "progress": False}
    cj.sweep(cj.systems.henon(), probes, {"a": [1.2, 1.3, 1.4]}, store=store, resume=True, threads=1, **settings)


def same(store: Path, whole: Path) -> None:
    """Raise an error if two finished stores differ in a bit, or are damaged."""
    found = cj.open_sweep(store)
    assert_same_bits(found, cj.open_sweep(whole))
    assert np.isfinite(found.x).all()


def forked(work: Callable[..., None], *arguments: Path) -> int:
    """Start a process that does it, and return its number."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work(*arguments)
        status = 0
    finally:
        os._exit(status)


def ended(child: int) -> int:
    """Wait for a process; its exit status."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_again_and_again(kills: int, seconds: float, seed: int = 0) -> Kills:
    """Until so many kills, or so many seconds, have passed."""
    draw, ends = random.Random(seed), time.monotonic() + seconds
    killed, finished, different = Counter[str](), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        store, whole = Path(folder) / "a.zarr", Path(folder) / "whole.zarr"
        for _ in range(2):  # the second takes the compiled programs from the disk, as all that follow
            shutil.rmtree(whole, ignore_errors=True)
            begun = time.monotonic()
            if ended(forked(run, whole)):
                raise RuntimeError("the run does not work")
            longest = 1.1 * (time.monotonic() - begun)
        while killed.total() < kills and time.monotonic() < ends:
            child = forked(run, store)
            time.sleep(draw.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            status = ended(child)
            if status == -signal.SIGKILL:
                killed[state(store)] += 1
            elif status:
                different += 1  # an error of its own: nothing may stop a run from going on
            if state(store) == STATES[3]:
                different += ended(forked(run, store)) != 0 or ended(forked(same, store, whole)) != 0
                finished += 1
                shutil.rmtree(store)
        different += ended(forked(run, store)) != 0 or ended(forked(same, store, whole)) != 0
        litter = [path.name for path in Path(folder).iterdir() if path.name not in ("a.zarr", "whole.zarr")]
    if litter:
        print(f"left behind: {', '.join(litter)}")
    return Kills(killed, finished + 1, different)


def state(store: Path) -> str:
    """What lies on the disk."""
    if not store.exists():
        return STATES[0]
    if "finished" in json.loads((store / "zarr.json").read_text())["attributes"]:
        return STATES[3]
    return STATES[2] if list(store.glob("checkpoints/*/zarr.json")) else STATES[1]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    given = [float(value) for value in sys.argv[1:]]
    started = time.monotonic()
    found = kill_again_and_again(int(given[0]), given[1] if len(given) > 1 else 1e9)
    words = ", ".join(f"{found.killed[name]} with {name}" for name in STATES)
    print(f"{found.killed.total()} kills in {time.monotonic() - started:.0f} s: {words}")
    print(f"{found.finished} runs finished, {found.different} failed or differ in a bit")
    sys.exit(found.different > 0)
