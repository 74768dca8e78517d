"""Carries a run out: plans it, begins it or goes on with its store, and finishes it."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from chaosjax._engine import Engine, Layout, OutOfMemory, check_fit, fitted, heard_out_of_memory, plan, plan_in_words
from chaosjax._loop import End, advanced, first_state
from chaosjax._results import (
    Store,
    Watchers,
    batch_that_fits,
    compiling,
    go_on_with,
    identity,
    note_that_fits,
    now,
    peak_bytes,
    plain,
    provenance,
    report,
    report_diverged,
    report_early_end,
    variables,
)
from chaosjax._run import Run
from chaosjax._stopping import Stop


class Settings(NamedTuple):
    """How a run is carried out, where that is free: see `sweep`. None: by a fixed rule."""

    cells_per_batch: int | str | None = None
    chunk: int | None = None
    devices: Sequence[Any] | None = None
    threads: int | None = None
    progress: bool = True
    config: Mapping[str, Any] | None = None


def executed(
    run: Run, settings: Settings, location: Path | None, resume: bool, watchers: Watchers, stop: Stop
) -> xr.Dataset:
    """The records of a run, computed into its store or found there.

    Raises:
        OutOfMemory: where it does not fit, with the batch size that would; what is stored is kept.
    """
    earlier = Store.to_continue(location, resume)
    progress = settings.progress
    with compiling(progress):
        if earlier is None:
            layout = plan(run, settings.cells_per_batch, settings.devices, settings.threads, Engine)
            followed = location is not None or any(watchers)
            engine = fitted(run, layout, settings.chunk, partial(Engine, followed=followed))
        else:
            engine = _engine_to_continue(run, settings, earlier)
        layout = engine.layout
        columns = variables(run.probes, engine.records, run.grid.dims)
        own = identity(run, layout.batch_size, engine.fingerprint, layout.devices[0])
        if earlier is not None:
            earlier.check_identity(own)
            if earlier.finished:
                early = progress and watchers.until is None
                report_early_end(early, earlier.length, run.clock.records, run.clock.stride)
                return earlier.verified()
            engine.compile()
            check_fit(engine.need(), layout)
    words = plan_in_words(engine, run.grid.size, run.clock.records)
    report(progress, words)
    out = earlier
    try:
        with heard_out_of_memory(engine.need(), layout):
            state = first_state(engine, run.probes, run.grid.size, earlier)
            attrs = {"identity": own, "config": plain(settings.config or {}), "plan": words}
            attrs |= provenance(layout.single_devices[0], layout.at_once)
            out = earlier or Store.create(location, run.grid.dims, run.clock, columns, engine.chunk, attrs)
            end = advanced(engine, run, out, state, watchers, stop, progress)
    except OutOfMemory as error:
        raise _with_remedy(error, out) from error
    finally:
        engine.close()
    report_diverged(progress, end.diverged)
    known = end.diverged if run.grid.part is None else np.full(1, np.nan)  # others may be alive
    out.finish(end.length, known, _effort(engine, run, end, peak_bytes(layout.single_devices)))
    return out.dataset()


def _engine_to_continue(run: Run, settings: Settings, earlier: Store) -> Engine:
    """The engine of a store's batch size; of a smaller one that is asked for, where the store's ran out of memory."""
    stored, asked = int(earlier.identity["cells_per_batch"]), settings.cells_per_batch
    wanted = stored if asked in (None, "tune") else int(asked)

    def engine(size: int) -> Engine:
        layout: Layout = plan(run, size, settings.devices, settings.threads, Engine)
        return Engine(run, layout._replace(reason="as stored" if size == stored else "as asked"), earlier.chunk)

    if wanted < stored and wanted <= batch_that_fits(earlier) and not earlier.finished:
        before = engine(stored)
        earlier.check_identity(identity(run, stored, before.fingerprint, before.layout.devices[0]))
        after = engine(wanted)
        go_on_with(earlier, identity(run, wanted, after.fingerprint, after.layout.devices[0]))
        before.close()
        return after
    return engine(wanted)


def _with_remedy(error: OutOfMemory, out: Store | None) -> OutOfMemory:
    if out is None or not out.on_disk:
        return error
    if error.fits is None:
        return OutOfMemory(f"{error}; what is stored is kept", None)
    note_that_fits(out, error.fits)
    return OutOfMemory(
        f"{error}: run again with it and resume=True (sweep.cells_per_batch={error.fits} and the same folder) to go on "
        "from the last chunk",
        error.fits,
    )


def _effort(engine: Engine, run: Run, end: End, most_bytes: int) -> dict[str, Any]:
    steps = end.index * run.clock.stride
    return {
        "finished": now(),
        "ended_by": end.by,
        "trace_seconds": round(engine.trace_seconds, 3),
        "compile_seconds": round(engine.compile_seconds, 3),
        "programs": dict(engine.sources),
        "wall_seconds": round(end.seconds, 3),
        "cell_steps_per_second": round(run.grid.size * steps / end.seconds, 1),
        "cost": run.cost(steps, engine.weights),
        "peak_bytes": most_bytes,
    }
