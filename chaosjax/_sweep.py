"""Runs a system with its probes over a grid of control parameters and seeds, into a labelled dataset."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from chaosjax._cell import Probes, named
from chaosjax._checks import check_count
from chaosjax._engine import Engine, plan
from chaosjax._results import (
    Checkpoint,
    Store,
    Watchers,
    compiling,
    flat_records,
    identity,
    now,
    pack,
    peak_bytes,
    plain,
    progress_bar,
    provenance,
    report_diverged,
    unpack,
    variables,
)
from chaosjax._run import Clock, Run, checked_run
from chaosjax._system import System

DISPATCH_SECONDS = 0.7
"""Aimed length of one call of the compiled program: how often progress moves and Ctrl-C is heard."""


def sweep(
    system: System,
    probes: Probes,
    axes: Mapping[str, Any],
    *,
    steps: int,
    stride: int = 1,
    noise: str = "common",
    noise_seed: int = 0,
    cells_per_batch: int | str | None = None,
    chunk: int | None = None,
    store: str | Path | None = None,
    resume: bool = False,
    devices: Sequence[Any] | None = None,
    threads: int | None = None,
    until: Callable[[xr.Dataset], bool] | None = None,
    callback: Callable[[xr.Dataset], None] | None = None,
    progress: bool = True,
    config: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Run every cell of a grid in one compiled program and return all records, labelled.

    Records lie at t = 0, stride, …, steps: states are read at t, growth is what accumulated over (t − stride, t].
    A cell that diverges turns to NaN and is reported by ``alive`` and ``diverged_at``; the run ends early when
    every cell has. Results depend on `cells_per_batch` by rounding, which chaos amplifies, and for the same probes on
    nothing else: devices, threads, chunks, interruptions and the order of probes leave every bit in place.

    Args:
        probes: instruments by the name their records get; ``alive`` is added.
        axes: values by control parameter, and ``seed`` for the initialisation; their order is the dataset's.
        steps: number of steps.
        stride: steps between records; divides steps.
        noise: "common": all cells see the same minibatches; "independent": each its own.
        noise_seed: seed of the noise.
        cells_per_batch: cells computed side by side; None: by a fixed rule from the memory a step touches and the
            number of cores or accelerators; "tune": the fastest of a few, measured. Stored, and kept on resume.
        chunk: records between writes to the store (and checkpoints); None: by a fixed rule.
        store: folder of a new zarr store, written chunk by chunk; None keeps the records in memory.
        resume: continue the store if it is there (one that is finished is just opened), else begin it.
        devices: all accelerators of JAX by default; of several CPU devices the first.
        threads: batches computed at the same time on a CPU; None: one per core.
        until: ends the run early: called with the records so far after every chunk, e.g.
            ``stats.converged("growth", error=1e-3)``. The result then holds the records up to there.
        callback: called after every chunk with its records, ``[*axes, time, *own]``: for a log, a live figure, ….
        progress: show a bar with rate and time left on standard error, and how many cells diverged.
        config: plain values recorded with the result, such as the resolved Hydra configuration.

    Returns:
        one variable per record, dims ``(*axes, time, *own)``, with provenance in ``attrs``.

    Raises:
        ValueError: for bad axes, clocks or options, a store of another run, or a probe's own objection.
        FileExistsError: for a store that exists, without resume.
        OSError: for a store that cannot be written.
    """
    run = checked_run(system, probes, axes, Clock.checked(steps, stride), noise, noise_seed)
    chunk = None if chunk is None else check_count("chunk", chunk)
    threads = None if threads is None else check_count("threads", threads)
    if cells_per_batch not in (None, "tune"):
        cells_per_batch = check_count("cells_per_batch", cells_per_batch, what="or 'tune', or None")
    earlier = Store.to_continue(store, resume)
    if earlier is not None:
        stored = int(earlier.identity["cells_per_batch"])
        cells_per_batch = stored if cells_per_batch in (None, "tune") else cells_per_batch
        chunk = earlier.chunk
    config = plain(config or {})
    with compiling(progress):
        layout = plan(run, cells_per_batch, devices, threads, Engine)
        engine = Engine(run, layout, chunk)
        columns = variables(run.probes, engine.records, run.grid.axes)
        own = identity(run, layout.batch_size, engine.fingerprint, layout.devices[0])
        if earlier is not None:
            earlier.check_identity(own)
            if earlier.finished:
                return earlier.dataset()
        engine.compile()
    try:
        state = _first_state(engine, run.probes, earlier)
        attrs = {"identity": own, "config": config, **provenance(layout.devices, layout.threads)}
        out = earlier or Store.create(store, run.grid.axes, run.clock, columns, engine.chunk, attrs)
        index, length, seconds = _advance(engine, run, out, state, Watchers(until, callback), progress)
    finally:
        engine.close()
    report_diverged(progress, out.read_diverged())
    out.finish(length, {**_effort(engine, run, index, seconds), "peak_bytes": peak_bytes(layout.devices)})
    return out.dataset()


class _State(NamedTuple):
    """Where the run is: the carries of all cells at record `index`, after `seconds` of work."""

    carries: Any
    index: int
    seconds: float


def _effort(engine: Engine, run: Run, index: int, seconds: float) -> dict[str, Any]:
    steps = index * run.clock.stride
    return {
        "finished": now(),
        "trace_seconds": round(engine.trace_seconds, 3),
        "compile_seconds": round(engine.compile_seconds, 3),
        "programs": dict(engine.sources),
        "wall_seconds": round(seconds, 3),
        "cell_steps_per_second": round(run.grid.size * steps / seconds, 1),
        "cost": run.cost(steps, engine.weights),
    }


def _first_state(engine: Engine, probes: Probes, earlier: Store | None) -> _State:
    """Where the run begins: at the store's checkpoint, or at t = 0 if the probes do not object."""
    saved = earlier.load() if earlier is not None else None
    if saved is not None:
        return _State(engine.place(unpack(saved.data, engine.state_template())), saved.index, saved.seconds)
    carries = engine.start()
    memories = engine.fetch(carries).memories
    for name, probe in probes.items():
        if probe.check is not None:
            with named(name):
                probe.check(memories[name])
    return _State(carries, 0, 0.0)


def _advance(
    engine: Engine, run: Run, out: Store, state: _State, watchers: Watchers, progress: bool
) -> tuple[int, int, float]:
    """From a state to the last record, `until`, or the last death: where it ended, the records kept, the seconds."""
    cells, stride, last = run.grid.size, run.clock.stride, run.clock.records - 1
    carries, index = state.carries, state.index
    diverged = out.read_diverged()
    begun = time.perf_counter() - state.seconds
    count = 1
    with progress_bar(progress, cells * last * stride, cells * index * stride) as moved:
        try:
            while index < last and np.isnan(diverged).any():
                end = min(index - index % engine.chunk + engine.chunk, last)
                first, parts = index, []
                while index < end:
                    asked = time.perf_counter()
                    count = min(count, end - index)
                    carries, records = engine.advance(carries, index, count)
                    parts.append(flat_records(records))
                    index += count
                    moved(cells * count * stride)
                    took = time.perf_counter() - asked
                    count = max(1, round(count * min(2.0, DISPATCH_SECONDS / took)))
                chunk = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
                out.record(first, stride, chunk, diverged)
                if out.on_disk:
                    out.save(Checkpoint(index, pack(engine.fetch(carries)), time.perf_counter() - begun))
                watchers.show(out, first, index)
                if watchers.done(out, index):
                    return index, index, time.perf_counter() - begun
            if index == last:
                out.record(last, stride, flat_records(engine.observe(carries, last)), diverged)
                watchers.show(out, last, last + 1)
        except KeyboardInterrupt:
            remedy = "run again with resume=True to go on from the last chunk" if out.on_disk else "nothing was stored"
            raise KeyboardInterrupt(f"stopped at t = {index * stride} of {last * stride}; {remedy}") from None
    return index, run.clock.records, time.perf_counter() - begun
