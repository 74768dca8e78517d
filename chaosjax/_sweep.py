"""Runs a system with its probes over a grid of control parameters and seeds, into a labelled dataset."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr

from chaosjax._cell import Probes
from chaosjax._checks import check_callable, check_count
from chaosjax._execution import Settings, executed
from chaosjax._results import Watchers, local_folder, only_writer
from chaosjax._run import Clock, checked_run
from chaosjax._shares import location_of_share, share_of, shared
from chaosjax._stopping import listening
from chaosjax._system import System

MOST_CELLS = 2**20
"""Cells of a batch, at most: the last cell fills it up, so a slip would take all memory."""


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
    share: tuple[int, int] | None = None,
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
        share: ``(number of this process, processes)`` of a sweep that several compute together into one store, on one
            file system; needs `store` and resume=True. None: of JAX's distributed runtime, where that is started.
        until: ends the run early: called with the records so far after every chunk, e.g.
            ``stats.converged("growth", error=1e-3)``. The result then holds the records up to there.
        callback: called after every chunk with its records, ``[*axes, time, *own]``: for a log, a live figure, ….
        progress: show a bar with rate and time left on standard error, and how many cells diverged.
        config: plain values recorded with the result, such as the resolved Hydra configuration.

    Returns:
        one variable per record, dims ``(*axes, time, *own)``, with provenance in ``attrs``.

    Raises:
        ValueError: for bad axes, clocks or options, a store of another run or one with damage that cannot be computed
            again, or a probe's own objection.
        FileExistsError: for a store that exists, without resume.
        MemoryError: for a run that does not fit its device, with the batch size that would; what is stored is kept.
        OSError: for a store that cannot be written, or that another process is writing.
        KeyboardInterrupt: on Ctrl-C, once what was computed is stored; SIGTERM ends with SystemExit in the same way,
            where it has no handler of the user's. At a second signal at once.
    """
    run = checked_run(system, probes, axes, Clock.checked(steps, stride), noise, noise_seed)
    chunk = None if chunk is None else check_count("chunk", chunk)
    threads = None if threads is None else check_count("threads", threads)
    if cells_per_batch not in (None, "tune"):
        cells_per_batch = check_count("cells_per_batch", cells_per_batch, what="or 'tune', or None")
        check_count("cells_per_batch", cells_per_batch, most=MOST_CELLS, what="since a batch is always full")
    check_callable("until", until)
    check_callable("callback", callback)
    location = None if store is None else local_folder(store)
    settings = Settings(cells_per_batch, chunk, devices, threads, progress, config)
    watchers = Watchers(until, callback)
    part = share_of(share, location)
    with listening() as stop:
        if part is not None:
            return shared(run, settings, location_of_share(location, resume, watchers), part, stop)
        with only_writer(location):
            return executed(run, settings, location, resume, watchers, stop)
