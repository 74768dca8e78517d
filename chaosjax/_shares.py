"""One sweep by several processes: each computes whole batches into a store of its own, and the first joins them.

Nothing passes between the processes but files, so they need one file system and no network, and may come and go: a part
is computed, or gone on with, by whichever process it falls to.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
import zarr

from chaosjax._checks import check_count
from chaosjax._engine import Engine, plan
from chaosjax._execution import Settings, executed
from chaosjax._results import (
    Store,
    Watchers,
    check_free,
    identity,
    now,
    only_writer,
    open_sweep,
    plain,
    provenance,
    variables,
)
from chaosjax._run import Run
from chaosjax._stopping import Stop

POLL_SECONDS = 0.5
"""How often a process looks whether the others are done."""

WORD_SECONDS = 60.0
"""How often it says what it waits for."""


class Division(NamedTuple):
    """How the cells are divided: decided once, by the first process, and kept however many go on later.

    Attributes:
        cells_per_batch, chunk: of all parts, so that they run one program.
        bounds: the cells at which parts begin, and the number of cells.
    """

    cells_per_batch: int
    chunk: int
    bounds: tuple[int, ...]

    @property
    def parts(self) -> list[tuple[int, int]]:
        """The first cell of each part and the one behind its last."""
        return list(zip(self.bounds[:-1], self.bounds[1:], strict=True))


def share_of(share: Any, location: Path | None) -> tuple[int, int] | None:
    """The number of this process and of all; None where one computes alone.

    Raises:
        ValueError: for a share that is none, or one without a store.
    """
    if share is None:
        several = location is not None and jax.distributed.is_initialized() and jax.process_count() > 1
        return (jax.process_index(), jax.process_count()) if several else None
    if not isinstance(share, tuple | list) or len(share) != 2:
        raise ValueError(f"share={share!r} must be (number of this process, processes), e.g. (0, 4)")
    count = check_count("share", share[1], what="processes")
    index = check_count("share", share[0], 0, count - 1, "as the number of this process")
    if location is None:
        raise ValueError(f"share={share!r} needs a store, which all processes see: give store=FOLDER")
    return (index, count) if count > 1 else None


def location_of_share(location: Path | None, resume: bool, watchers: Watchers) -> Path:
    """The common store, once it is clear that several processes can compute it.

    Raises:
        ValueError: for what needs all records in one process.
    """
    if not resume:
        raise ValueError("share: resume=False, but a store that another process has begun looks like an old one: True")
    for name, given in watchers._asdict().items():
        if given is not None:
            raise ValueError(
                f"{name}= sees all records, which no process has before the end; leave out {name} or share"
            )
    assert location is not None
    return location


def shared(run: Run, settings: Settings, location: Path, share: tuple[int, int], stop: Stop) -> xr.Dataset:
    """Compute this process's parts, then wait until all are joined; the whole dataset, the same in every process."""
    index, count = share
    settings = settings._replace(progress=settings.progress and index == 0)
    folder, nothing = location.with_name(f"{location.name}.parts"), Watchers(None, None)
    wait = _Wait(location, stop, settings.progress)
    if location.exists():
        if index == 0:
            shutil.rmtree(folder, ignore_errors=True)
        return executed(run, settings, location, True, nothing, stop)
    division = _division(run, settings, location, folder, share, wait)
    own = settings._replace(cells_per_batch=division.cells_per_batch, chunk=division.chunk)
    for number in range(index, len(division.parts), count):
        part = run._replace(grid=run.grid._replace(part=division.parts[number]))
        place = folder / f"{number:05d}.zarr"
        if not location.exists():  # joined meanwhile, where fewer processes had gone on before
            with only_writer(place):
                executed(part, own, place, True, nothing, stop)
    if index == 0:
        wait.until(lambda: _unfinished(folder, len(division.parts)))
        _join(run, own, location, folder, division)
    wait.until(lambda: [] if location.exists() else [location.name])
    return open_sweep(location, read=False)


class _Wait:
    """Waits for files of other processes, and says so from time to time."""

    def __init__(self, location: Path, stop: Stop, shown: bool):
        self._location, self._stop, self._shown = location, stop, shown

    def until(self, missing: Callable[[], Sequence[str]]) -> None:
        """Wait until nothing is missing."""
        begun = said = time.monotonic()
        while names := missing():
            if self._stop.signal is not None:
                self._stop.end(f"stopped while other processes compute {self._location}; run again with resume=True")
            if self._shown and time.monotonic() - said > WORD_SECONDS:
                said = time.monotonic()
                print(f"waiting since {said - begun:.0f} s for {', '.join(names)}", file=sys.stderr, flush=True)
            time.sleep(POLL_SECONDS)


def _division(
    run: Run, settings: Settings, location: Path, folder: Path, share: tuple[int, int], wait: _Wait
) -> Division:
    """Decide, in the first process, how the cells are divided, or read what was decided."""
    file = folder / "division.json"
    if share[0] == 0 and not file.exists():
        check_free(location)
        layout = plan(run, settings.cells_per_batch, settings.devices, settings.threads, Engine, share[1])
        batches = -(-run.grid.size // layout.batch_size)
        parts = min(share[1], batches)
        bounds = [min(run.grid.size, layout.batch_size * (batches * i // parts)) for i in range(parts + 1)]
        engine = Engine(run, layout, settings.chunk)
        engine.close()
        decided = Division(layout.batch_size, engine.chunk, tuple(bounds))
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f".division.{os.getpid()}"
        beside.write_text(json.dumps(decided._asdict()))
        beside.replace(file)
    wait.until(lambda: [] if file.exists() else [str(file)])
    found = json.loads(file.read_text())
    division = Division(int(found["cells_per_batch"]), int(found["chunk"]), tuple(map(int, found["bounds"])))
    asked = settings.cells_per_batch
    if division.bounds[-1] != run.grid.size or asked not in (None, "tune", division.cells_per_batch):
        raise ValueError(
            f"store: {folder} was begun for {division.bounds[-1]} cells, {division.cells_per_batch} per batch, not for "
            f"{run.grid.size} cells, {asked or division.cells_per_batch} per batch; take its settings, or another path"
        )
    return division


def _unfinished(folder: Path, parts: int) -> list[str]:
    """The parts that are not there yet, or not to their end."""

    def finished(place: Path) -> bool:
        try:
            return "finished" in zarr.open_group(place, mode="r").attrs
        except FileNotFoundError:
            return False

    places = [folder / f"{number:05d}.zarr" for number in range(parts)]
    return [place.name for place in places if not finished(place)]


def _join(run: Run, settings: Settings, location: Path, folder: Path, division: Division) -> None:
    """Write the store of all cells from those of the parts, chunk by chunk; whole, it is put in its place."""
    places = [folder / f"{number:05d}.zarr" for number in range(len(division.parts))]
    parts = [open_sweep(place) for place in places]
    layout = plan(run, division.cells_per_batch, settings.devices, settings.threads, Engine)
    engine = Engine(run, layout, division.chunk)
    engine.close()
    own = identity(run, layout.batch_size, engine.fingerprint, layout.devices[0])
    for place in places:
        theirs = Store.open(place).identity
        Store.open(place).check_identity({**own, "cells": theirs["cells"]})
    attrs = {
        "identity": own,
        "config": plain(settings.config or {}),
        **provenance(layout.single_devices[0], layout.at_once),
    }
    columns = variables(run.probes, engine.records, run.grid.dims)
    whole = folder / "whole.zarr"
    shutil.rmtree(whole, ignore_errors=True)
    out = Store.create(whole, run.grid.dims, run.clock, columns, engine.chunk, {**attrs, "processes": len(parts)})
    diverged = np.concatenate([part.diverged_at.values for part in parts])
    end, records = run.clock.records, run.clock.records
    if not np.isnan(diverged).any():  # as one process ends with the last cell
        end = min(end, int(diverged.max()) // run.clock.stride + 1)
    for first in range(0, end, division.chunk):
        span = slice(first, min(first + division.chunk, end))
        rows = {name: [part[name].isel(time=span).values for part in parts] for name in columns}
        out.write(first, {name: np.concatenate(values) for name, values in rows.items()})
    out.write_diverged(diverged)
    out.finish(records, diverged, _effort(run, parts, engine.weights, end < records))
    whole.rename(location)
    shutil.rmtree(folder, ignore_errors=True)


def _effort(run: Run, parts: list[xr.Dataset], weights: int, early: bool) -> dict[str, Any]:
    """What the parts took together: the slowest one's time."""
    seconds = max(float(part.attrs["wall_seconds"]) for part in parts)
    return {
        "finished": now(),
        "ended_by": "divergence" if early else "steps",
        "trace_seconds": max(float(part.attrs["trace_seconds"]) for part in parts),
        "compile_seconds": max(float(part.attrs["compile_seconds"]) for part in parts),
        "wall_seconds": seconds,
        "cell_steps_per_second": round(run.grid.size * run.clock.steps / seconds, 1),
        "cost": run.cost(run.clock.steps, weights),
        "peak_bytes": max(int(part.attrs["peak_bytes"]) for part in parts),
    }
