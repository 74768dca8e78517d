"""What failures cost a sweep: a simulation of parts that are computed, fail, and go on from their last checkpoint."""

from typing import NamedTuple

import numpy as np


class Cluster(NamedTuple):
    """Accelerators that fail at random, each once in `hours_between` on average, and are back after `restart` hours."""

    name: str
    hours_between: float
    restart: float


CLUSTERS = (
    Cluster("as in the training of Llama 3", 50_700, 0.25),
    Cluster("preemptible", 24, 0.1),
)
"""Llama 3 (arXiv:2407.21783, section 3.3.4): 419 unexpected interruptions in 54 days on 16,384 GPUs."""


def hours_taken(
    work: float, interval: float, rate: float, restart: float, runs: int, key: np.random.Generator
) -> np.ndarray:
    """Hours until `work` hours are done, ``[runs]``, with a checkpoint every `interval` hours.

    Failures come at `rate` per hour while something is computed; each loses what was done since the last checkpoint,
    and `restart` hours. The mean is ``(1/rate + restart) (exp(rate·interval) − 1)`` per interval (Daly, FGCS 22 (2006)
    303).
    """
    taken = np.zeros(runs)
    for length in _intervals(work, interval):
        going = np.ones(runs, bool)
        while going.any():
            failure = key.exponential(1 / rate, runs) if rate else np.full(runs, np.inf)
            failed = going & (failure < length)
            taken += np.where(failed, failure + restart, np.where(going, length, 0.0))
            going = failed
    return taken


def makespan(cluster: Cluster, parts: int, work: float, interval: float, together: bool, runs: int = 200) -> float:
    """Mean hours until the last of all parts is done.

    Args:
        work: hours of one part without failures.
        together: a failure of one ends all, which start again together, as under JAX's distributed runtime; else each
            goes on by itself, as jobs with `share=` of their own do.
    """
    key, rate = np.random.default_rng(0), 1 / cluster.hours_between
    if together:
        return float(hours_taken(work, interval, parts * rate, cluster.restart, runs, key).mean())
    each = hours_taken(work, interval, rate, cluster.restart, parts * runs, key)
    return float(each.reshape(runs, parts).max(axis=1).mean())


def _intervals(work: float, interval: float) -> list[float]:
    whole = int(work // interval)
    rest = work - whole * interval
    return [interval] * whole + ([rest] if rest > 1e-12 else [])
