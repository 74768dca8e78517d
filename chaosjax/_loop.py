"""The loop of a sweep on the host: chunk after chunk, each written and followed by a checkpoint."""

import time
from signal import SIGTERM
from typing import Any, NamedTuple

import jax
import numpy as np

from chaosjax._cell import Probes, named
from chaosjax._engine import Engine
from chaosjax._results import Checkpoint, Store, Watchers, flat_records, pack, progress_bar, unpack
from chaosjax._run import Run
from chaosjax._stopping import Stop

DISPATCH_SECONDS = 0.7
"""Aimed length of one call of the compiled program: how often progress moves and a signal is heard."""


class State(NamedTuple):
    """Where a run is: the carries of all cells at record `index`, when each died, after `seconds` of work."""

    carries: Any
    index: int
    diverged: np.ndarray
    seconds: float


class End(NamedTuple):
    """How a run ended: at record `index`, with `length` records, by "steps", "until" or "divergence"."""

    index: int
    length: int
    diverged: np.ndarray
    seconds: float
    by: str


def first_state(engine: Engine, probes: Probes, cells: int, earlier: Store | None) -> State:
    """Where the run begins: at the store's checkpoint, or at t = 0 if the probes do not object."""
    diverged = np.full(cells, np.nan)
    saved = earlier.load() if earlier is not None else None
    if saved is not None:
        template = engine.state_template(), jax.ShapeDtypeStruct(diverged.shape, diverged.dtype)
        carries, diverged = unpack(saved.data, template)
        return State(engine.place(carries), saved.index, diverged.copy(), saved.seconds)
    carries = engine.start()
    memories = engine.fetch(carries).memories
    for name, probe in probes.items():
        if probe.check is not None:
            with named(name):
                probe.check(memories[name])
    return State(carries, 0, diverged, 0.0)


def advanced(engine: Engine, run: Run, out: Store, state: State, watchers: Watchers, stop: Stop, progress: bool) -> End:
    """From a state to the last record, `until`, or the last death.

    Asked to stop, it writes what it has, with a checkpoint, and says how to go on.
    """
    cells, stride, last = run.grid.size, run.clock.stride, run.clock.records - 1
    partial = run.grid.part is not None  # cells of other parts may be alive
    carries, index, diverged = state.carries, state.index, state.diverged
    begun = time.perf_counter() - state.seconds
    out.write_diverged(diverged)
    count, saved = 1, index

    def ended(by: str, length: int = run.clock.records) -> End:
        return End(index, length, diverged, time.perf_counter() - begun, by)

    with progress_bar(progress, cells * last * stride, cells * index * stride) as moved:
        try:
            stop.patient = True
            if index > 0 and (index % engine.chunk == 0 or index == last) and watchers.done(out, index):
                return ended("until", index)  # a kill had come between the chunk and its look at it
            while index < last and (partial or np.isnan(diverged).any()):
                end = min(index - index % engine.chunk + engine.chunk, last)
                first, parts = index, []
                while index < end and stop.signal is None:
                    asked = time.perf_counter()
                    count = min(count, end - index)
                    carries, records = engine.advance(carries, index, count)
                    parts.append(flat_records(records))
                    index += count
                    moved(cells * count * stride)
                    took = time.perf_counter() - asked
                    count = max(1, round(count * min(2.0, DISPATCH_SECONDS / took)))
                if parts:
                    chunk = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
                    out.record(first, stride, chunk, diverged, to_the_end=partial)
                    if out.on_disk:
                        data = pack((engine.fetch(carries), diverged))
                        out.save(Checkpoint(index, data, time.perf_counter() - begun))
                        saved = index
                    watchers.show(out, first, index)
                if index == end and watchers.done(out, index):
                    return ended("until", index)
                if stop.signal is not None:
                    raise KeyboardInterrupt
            if index == last:
                out.record(last, stride, flat_records(engine.observe(carries, last)), diverged, to_the_end=partial)
                watchers.show(out, last, last + 1)
        except (KeyboardInterrupt, SystemExit) as interruption:
            if isinstance(interruption, SystemExit) and stop.signal != SIGTERM:
                raise
            remedy = f"run again with resume=True to go on from t = {saved * stride}"
            remedy = remedy if out.on_disk else "nothing was stored"
            stop.end(f"stopped at t = {index * stride} of {last * stride}; {remedy}")
    return ended("steps" if partial or np.isnan(diverged).any() else "divergence")
