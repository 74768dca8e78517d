"""Runs a system with its probes over a grid of control parameters and seeds, into a labelled dataset."""

import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from jaxtyping import PyTree
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from chaosjax import _precision as precision
from chaosjax._axes import cells_of, checked_axes
from chaosjax._cell import Probes, named
from chaosjax._plan import batch_size_for
from chaosjax._probe import Probe
from chaosjax._program import Layout, Programs, trace, working_set
from chaosjax._store import Checkpoint, Store, Variable, differences, flat_dims, pack, unpack
from chaosjax._system import System
from chaosjax.probes._alive import alive

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
    until: Callable[[xr.Dataset], bool] | None = None,
    progress: bool = True,
    config: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Runs every cell of a grid in one compiled program and returns all records, labelled.

    Records lie at t = 0, stride, …, steps: states are read at t, growth is what accumulated over (t − stride, t].
    A cell that diverges turns to NaN and is reported by ``alive`` and ``diverged_at``; the run ends early when
    every cell has. Results depend on the batch size by rounding, which chaos amplifies, and on nothing else:
    devices, chunks and interruptions leave every bit in place.

    Args:
        probes: instruments by the name their records get; ``alive`` is added.
        axes: values by control parameter, and ``seed`` for the initialisation; their order is the dataset's.
        steps: number of steps.
        stride: steps between records; divides steps.
        noise: "common": all cells see the same minibatches; "independent": each its own.
        noise_seed: seed of the noise.
        cells_per_batch: cells run side by side on a device; None: by a fixed rule from the memory a step touches;
            "tune": the fastest of a few, measured. Stored with the result and kept on resume.
        chunk: records between writes to the store (and checkpoints); None: by a fixed rule.
        store: folder of a new zarr store, written chunk by chunk; None keeps the records in memory.
        resume: continue the store if it is there (one that is finished is just opened), else begin it.
        devices: default all local devices of JAX.
        until: ends the run early: called with the records so far after every chunk, e.g.
            ``stats.converged("growth", error=1e-3)``. The result then holds the records up to there.
        progress: show a bar with rate and time left on standard error.
        config: plain values recorded with the result, such as the resolved Hydra configuration.

    Returns:
        one variable a record, dims ``(*axes, time, *own)``, with provenance in ``attrs``.

    Raises:
        ValueError: for bad axes, clocks or options, a store of another run, or a probe's own objection.
        FileExistsError: for a store that exists, without resume.
        OSError: for a store that cannot be written.
    """
    axes = _checked(system, probes, axes, steps, stride, noise, cells_per_batch, chunk)
    probes = {"alive": alive(), **probes}
    if resume and store is None:
        raise ValueError("resume=True needs the store to continue: give store=FOLDER")
    earlier = Store.open(store) if resume and store is not None and Path(store).exists() else None
    if earlier is not None:
        cells_per_batch = (
            int(earlier.identity["cells_per_batch"]) if cells_per_batch in (None, "tune") else cells_per_batch
        )
        chunk = earlier.chunk
    elif store is not None:
        Store.check_path(store)
    begun = time.perf_counter()
    devices = tuple(devices if devices is not None else jax.local_devices())
    defaults = system.theta or {}
    constants = {name: value for name, value in defaults.items() if value is not None and name not in axes}
    count, records = prod(len(values) for values in axes.values()), steps // stride + 1
    cells = {"seed": np.zeros(count, np.int64), **cells_of(axes)}
    clocks = {"stride": stride, "records": records, "chunk": chunk}
    noises = {"noise_seed": noise_seed, "independent_noise": noise == "independent"}

    def trace_for(size: int, cells: Mapping[str, np.ndarray]) -> Programs:
        return trace(system, probes, cells, constants, Layout(devices, size), **clocks, **noises)

    if cells_per_batch is None:
        cells_per_batch = batch_size_for(working_set(system, probes, axes, constants, noise_seed), count, devices)
    elif cells_per_batch == "tune":
        cells_per_batch = _tuned(trace_for, cells, len(devices))
    programs = trace_for(int(cells_per_batch), cells)
    variables = _variables(probes, programs, axes)
    settings = {
        "steps": steps,
        "stride": stride,
        "noise": noise,
        "noise_seed": noise_seed,
        "cells_per_batch": cells_per_batch,
    }
    identity = _identity(system, probes, axes, programs, devices, settings)
    if earlier is not None:
        _check_same_run(earlier, identity)
        if earlier.finished:
            return earlier.dataset()
    programs.compile()
    compiled = time.perf_counter()
    carry, at = _first_state(programs, probes, earlier, count)
    if earlier is None:
        attrs = {"identity": identity, "config": _plain(config or {}), **_provenance(devices)}
        out = Store.create(store, axes, np.arange(records) * stride, variables, programs.chunk, attrs)
    else:
        out = earlier
    index, seconds = _run(programs, out, carry, at, count, records, stride, until, progress)
    out.finish(
        {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "compile_seconds": round(compiled - begun, 3),
            "wall_seconds": round(seconds, 3),
            "cell_steps_per_second": round(count * index * stride / seconds, 1),
            "peak_bytes": _peak_bytes(devices),
        }
    )
    return out.dataset()


def _check_same_run(earlier: Store, identity: Mapping[str, Any]) -> None:
    changed = differences(identity, earlier.identity)
    if changed:
        raise ValueError(
            f"store: {earlier.location} is of another run ({'; '.join(changed)}); "
            "resume with its settings, or take a new path"
        )


def _first_state(programs: Programs, probes: Probes, earlier: Store | None, cells: int) -> tuple[PyTree, Checkpoint]:
    """Where the run begins: at the store's checkpoint, or at t = 0 if the probes do not object."""
    saved = earlier.load() if earlier is not None else None
    if saved is not None:
        shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((cells, *leaf.shape), leaf.dtype), programs.template)
        return programs.place(unpack(saved.data, shapes)), saved
    carry = programs.start()
    for name, probe in probes.items():
        if probe.check is not None:
            with named(name):
                probe.check(carry.memories[name])
    return carry, Checkpoint(0, np.empty(0, np.uint8), 0.0)


def _run(
    programs: Programs,
    out: Store,
    carry: PyTree,
    begin: Checkpoint,
    cells: int,
    records: int,
    stride: int,
    until: Callable[[xr.Dataset], bool] | None,
    progress: bool,
) -> tuple[int, float]:
    """From a checkpoint to the last record, `until`, or the last death: the last index and the seconds it all took."""
    index, last = begin.index, records - 1
    diverged = out.read_diverged()
    begun = time.perf_counter() - begin.seconds
    count = 1
    with _bar(progress, cells * last * stride, cells * index * stride) as moved:
        try:
            while index < last and np.isnan(diverged).any():
                end = min(index - index % programs.chunk + programs.chunk, last)
                first, parts = index, []
                while index < end:
                    asked = time.perf_counter()
                    count = min(count, end - index)
                    carry, filled = programs.advance(carry, index, count)
                    parts.append(_on_host(filled, cells, count))
                    index += count
                    moved(cells * count * stride)
                    took = time.perf_counter() - asked
                    count = max(1, round(count * min(2.0, DISPATCH_SECONDS / took)))
                chunk = {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}
                _record(out, diverged, first, stride, chunk)
                if out.on_disk:
                    state = pack(jax.tree.map(lambda leaf: leaf[:cells], jax.device_get(carry)))
                    out.save(Checkpoint(index, state, time.perf_counter() - begun))
                if until is not None and until(out.dataset().isel(time=slice(index))):
                    out.truncate(index)
                    return index, time.perf_counter() - begun
            if index == last:
                final = jax.tree.map(lambda leaf: leaf[:, None], programs.observe(carry, last))
                _record(out, diverged, last, stride, _on_host(final, cells, 1))
        except KeyboardInterrupt:
            remedy = "run again with resume=True to go on from the last chunk" if out.on_disk else "nothing was stored"
            raise KeyboardInterrupt(f"stopped at t = {index * stride} of {last * stride}; {remedy}") from None
    return index, time.perf_counter() - begun


def _record(out: Store, diverged: np.ndarray, first: int, stride: int, chunk: Mapping[str, np.ndarray]) -> None:
    """Stores records from index `first` on, and notes in `diverged` when cells died."""
    alive = chunk["alive"]
    died = ~alive.all(axis=1) & np.isnan(diverged)
    diverged[died] = (first + np.argmin(alive, axis=1)[died]) * stride
    if not np.isnan(diverged).any():  # the run ends with its last cell, wherever a chunk happens to
        end = max(0, int(diverged.max()) // stride + 1 - first)
        chunk = {name: values[:, :end] for name, values in chunk.items()}
    out.write(first, chunk)
    out.write_diverged(diverged)


def _checked(
    system: System,
    probes: Probes,
    axes: Mapping[str, Any],
    steps: int,
    stride: int,
    noise: str,
    cells_per_batch: Any,
    chunk: int | None,
) -> dict[str, np.ndarray]:
    for name, value in {"steps": steps, "stride": stride, "chunk": 1 if chunk is None else chunk}.items():
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name}={value!r} must be a positive integer")
    if steps % stride:
        raise ValueError(
            f"stride={stride} does not divide steps={steps}; records lie at multiples of it, the last step included"
        )
    if noise not in ("common", "independent"):
        raise ValueError(f"noise={noise!r} must be 'common' or 'independent'")
    if cells_per_batch not in (None, "tune") and not (
        isinstance(cells_per_batch, (int, np.integer)) and cells_per_batch > 0
    ):
        raise ValueError(f"cells_per_batch={cells_per_batch!r} must be a positive integer, 'tune' or None")
    for name, probe in probes.items():
        if not isinstance(probe, Probe):
            raise TypeError(f"probes: '{name}' is {probe!r}, not a Probe; call what makes it, e.g. probes.loss()")
    checked = checked_axes(system, probes, axes)
    taken = {*checked, "time", "alive", "diverged_at"} & set(probes)
    if taken:
        raise ValueError(f"probes: '{taken.pop()}' is the name of an axis or of sweep's own; rename the probe")
    return checked


def _variables(probes: Probes, programs: Programs, axes: Mapping[str, np.ndarray]) -> dict[str, Variable]:
    variables = {}
    sizes = dict.fromkeys((*axes, "time", *programs.records), 0)  # names that no record's own axis can have
    for name, record in programs.records.items():
        probe = probes[name]
        for entry, leaf in _entries(record).items():
            dims = flat_dims(probe.dims, entry)
            if len(dims) != len(leaf.shape):
                raise ValueError(
                    f"probe '{name}': its record has {len(leaf.shape)} axes, its dims name {len(dims)}: {dims}"
                )
            for dim, size in zip(dims, leaf.shape, strict=True):
                if sizes.setdefault(dim, size) != size:
                    raise ValueError(
                        f"probe '{name}': its axis '{dim}' of {size} entries is another one's name in this dataset; "
                        "rename it: probe._replace(dims=(...))"
                    )
            attrs = {**_plain(probe.attrs), **({"entry": entry} if entry else {})}
            if _variable(name, entry) in (*variables, "diverged_at", *axes):
                raise ValueError(
                    f"probe '{name}': its record '{_variable(name, entry)}' has a taken name; rename the probe"
                )
            variables[_variable(name, entry)] = Variable((0, *leaf.shape), np.dtype(leaf.dtype), dims, attrs)
    return variables


def _entries(record: Any) -> dict[str, Any]:
    return record if isinstance(record, dict) else {"": record}


def _variable(name: str, entry: str) -> str:
    return f"{name}_{entry}" if entry else name


def _on_host(records: Mapping[str, Any], cells: int, count: int) -> dict[str, np.ndarray]:
    fetched = jax.device_get(records)
    return {
        _variable(name, entry): leaf[:cells, :count]
        for name, record in fetched.items()
        for entry, leaf in _entries(record).items()
    }


def _tuned(trace_for: Any, cells: Mapping[str, np.ndarray], devices: int) -> int:
    """The batch size with the most cell-steps a second, over powers of two: stops at the first that is slower."""
    best, best_rate, size = 1, 0.0, 1
    while size <= max(1, len(cells["seed"]) // devices):
        programs = trace_for(size, {name: values[: size * devices] for name, values in cells.items()})
        carry, _ = programs.advance(programs.start(), 0, 1)
        rates = []
        for index in range(1, 4):
            begun = time.perf_counter()
            carry, records = programs.advance(carry, index, 1)
            jax.block_until_ready(records)
            rates.append(size * devices / (time.perf_counter() - begun))
        if max(rates) < best_rate:
            break
        best, best_rate, size = size, max(rates), 2 * size
    return best


def _identity(
    system: System,
    probes: Probes,
    axes: Mapping[str, np.ndarray],
    programs: Programs,
    devices: Sequence[Any],
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that decides the numbers, as plain values."""
    return _plain(
        {
            "axes": {name: values.tolist() for name, values in axes.items()},
            **settings,
            "system": system.attrs,
            "probes": {name: {**probe.attrs, **probe.theta} for name, probe in probes.items()},
            "precision": precision.describe(),
            "device": devices[0].device_kind,
            "versions": {name: version(name) for name in ("jax", "jaxlib", "chaosjax")},
            "program": programs.fingerprint,
        }
    )


def _provenance(devices: Sequence[Any]) -> dict[str, Any]:
    names = ("chaosjax", "jax", "jaxlib", "optax", "flax", "numpy", "xarray", "zarr")
    return {
        "versions": {name: version(name) for name in names},
        "commit": _commit(),
        "python": platform.python_version(),
        "devices": f"{len(devices)} × {devices[0].device_kind} ({devices[0].platform})",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _peak_bytes(devices: Sequence[Any]) -> int:
    """The most memory held so far: of the accelerators together, or of this process on a CPU."""
    if devices[0].platform != "cpu":
        return sum((device.memory_stats() or {}).get("peak_bytes_in_use", 0) for device in devices)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _commit() -> str:
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        return "not a checkout"
    try:
        command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40"]
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _plain(values: Any) -> Any:
    return json.loads(
        json.dumps(values, default=lambda value: value.tolist() if hasattr(value, "tolist") else str(value))
    )


@contextmanager
def _bar(shown: bool, total: int, done: int) -> Iterator[Callable[[int], None]]:
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
            bar.update(
                task,
                completed=done,
                rate=f"{(done - first) / (time.perf_counter() - begun):,.0f} cell-steps/s",
            )

        yield moved
