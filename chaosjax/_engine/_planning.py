"""Batch size, chunk length and threads, by fixed rules or by measurement."""

import os
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from chaosjax._cell import start
from chaosjax._engine._batches import Layout
from chaosjax._engine._compilation import executable, hoisted
from chaosjax._engine._disk_cache import use_disk_cache
from chaosjax._engine._group import Group
from chaosjax._engine._memory import Need, OutOfMemory, check_fit, free_bytes, heard_out_of_memory, readable
from chaosjax._results import unwrap_keys
from chaosjax._run import Run

CPU_WORKING_SET = 2**18
"""Bytes a batch may touch on one CPU core, measured on networks of 10 to 64 units and 120 to 1,437 samples: batches of
four times as many bytes make up to four times fewer steps per second, as caches miss and XLA hands small reductions to
threads."""

CPU_CALL = 2**24
"""Bytes that a call should touch on a CPU, over all its steps. A call costs about a millisecond of Python, more where
threads wait for each other's: 1,400 networks of 10 units in batches of one (0.7 MiB a call) made 1,500 cell-steps per
second, in batches of 16 (11 MiB) 15,200, of 64 17,100, of 128 14,600."""

BY_RULE = "by rule"
"""How the reason of a batch size begins that nobody has asked for."""

ACCELERATOR_SHARE = 0.4
"""Share of an accelerator's memory that one batch may fill."""

CHUNK_BYTES = 64 * 2**20
"""Bytes of records that a chunk may hold."""

CHUNKS_PER_RUN = 24
"""A run is stored in at least so many chunks: what a kill can cost."""


def plan(
    run: Run,
    batch_size: int | str | None,
    devices: Sequence[Any] | None,
    threads: int | None,
    engine: Any,
    processes: int = 1,
) -> Layout:
    """Choose where the cells of a run go.

    Args:
        batch_size: cells per batch; None: by `batch_size_for`, "tune": the fastest of a few, measured.
        devices: all of one kind; None: all accelerators, or else the first CPU device.
        threads: batches at the same time on a CPU; None: one per core.
        engine: ``(run, layout, chunk, most) -> Engine``, for measuring.
        processes: that share the cells.
    """
    devices, together = _devices(run, devices), run.system.mesh is not None
    use_disk_cache()
    on_cpu = devices[0].platform == "cpu"
    lanes = available_cores() if on_cpu and not together else len(devices)  # not by `threads`: it changes no bit
    threads = (threads or lanes) if on_cpu and not together else 1  # devices that wait for each other run one batch
    reason = "as asked"
    if batch_size == "tune":
        batch_size = _tuned(run, lambda size: Layout(size, tuple(devices), threads), lanes, engine)
        reason = "the fastest of those measured"
    elif batch_size is None:
        touched = _working_set(run, devices[0])
        steps = max(run.clock.stride, run.clock.steps // CHUNKS_PER_RUN)
        batch_size = batch_size_for(touched, run.grid.size, devices[0], lanes * processes, steps)
        kind = "cores" if on_cpu and not together else "devices"
        reason = f"{BY_RULE}: a step of a cell touches {readable(touched)}, {lanes} {kind} share the cells"
    return Layout(int(batch_size), tuple(devices), threads, reason)


def fitted(run: Run, layout: Layout, chunk: int | None, engine: Any) -> Any:
    """The compiled engine of a layout.

    On an accelerator, where the batch size follows from the rule, it is halved until the run fits. On a CPU it does
    not depend on the memory that happens to be free: what does not fit is refused.

    Raises:
        OutOfMemory: with the numbers and what would fit.
    """
    while True:
        found = engine(run, layout, chunk)
        try:
            with heard_out_of_memory(Need(0, 0, 0), layout):
                found.compile()
            check_fit(found.need(), layout)
        except OutOfMemory as error:
            found.close()
            by_rule = layout.reason.startswith(BY_RULE) and layout.devices[0].platform != "cpu"
            if not by_rule or error.fits is None:
                raise
            layout = layout._replace(batch_size=error.fits, reason=f"{BY_RULE}: the largest that fits")
        else:
            return found


def plan_in_words(found: Any, cells: int, records: int) -> str:
    """What was picked, why, and what it takes."""
    layout, free = found.layout, free_bytes(found.layout.devices[0])
    told = "" if free is None else f" of {readable(free)} free"
    return (
        f"{cells:,} cells in batches of {layout.batch_size} ({layout.reason}), {records:,} records in chunks of "
        f"{found.chunk}: takes {found.need()}{told}"
    )


def _devices(run: Run, devices: Any) -> list[Any]:
    """Where batches go: the devices that are asked for, or those that share the samples, as one."""
    if run.system.mesh is not None:
        if devices is not None:
            raise ValueError("devices: the samples are spread over sample_devices already; leave devices out")
        return [Group(run.system.mesh)]
    if devices is not None:
        return _checked_devices(devices)
    found = jax.local_devices()
    return found[:1] if found[0].platform == "cpu" else found


def _checked_devices(devices: Any) -> list[Any]:
    listed = list(devices) if isinstance(devices, Sequence) and not isinstance(devices, str) else None
    if listed is None or not all(isinstance(device, jax.Device) for device in listed):
        raise TypeError(f"devices={devices!r} must be a list of devices, e.g. jax.devices()[:1], or None")
    if not listed:
        raise ValueError("devices=[] names none; leave it out for all accelerators, or else the CPU")
    if len(set(listed)) < len(listed):
        raise ValueError(f"devices={devices!r} names a device twice; name each once")
    return listed


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batch_size_for(working_set: int, cells: int, device: Any, lanes: int, steps: int = 2**31) -> int:
    """Cells per batch: as many as fit the cache and as make a call worth its price (CPU), or a share of the memory.

    A power of two, at least 1, and no more than one lane's share of the cells.

    Args:
        working_set: bytes that one cell touches in a step.
        lanes: batches computed at the same time.
        steps: of a call.
    """
    limit = CPU_WORKING_SET
    if device.platform != "cpu":
        limit = int(ACCELERATOR_SHARE * (device.memory_stats() or {}).get("bytes_limit", 8 * 2**30))
    power = 2 ** int(np.log2(max(1, limit // max(1, working_set))))
    if device.platform == "cpu":
        power = max(power, 2 ** ceil(np.log2(max(1, CPU_CALL / (max(1, working_set) * steps)))))
    return min(power, ceil(cells / lanes))


def chunk_for(records: int, record_bytes: int, followed: bool = True) -> int:
    """Records per chunk: at most `CHUNK_BYTES`, and at least `CHUNKS_PER_RUN` chunks in a run that is followed.

    Args:
        record_bytes: of one record of all cells.
        followed: a store or a function of the user's takes each chunk.
    """
    return max(1, min(ceil(records / (CHUNKS_PER_RUN if followed else 1)), CHUNK_BYTES // max(1, record_bytes)))


def _working_set(run: Run, device: Any) -> int:
    """Bytes that one cell touches in a step: the step's own, times how many phase points the cell carries."""
    system, dtype = run.system, jnp.result_type(float)
    axes = {name: dtype.type(values[0]) for name, values in run.grid.axes.items() if name != "seed"}
    theta = {**run.grid.constants, **axes}
    carry = jax.eval_shape(lambda: start(system, run.probes, jax.random.key(0), theta))
    noise = jax.eval_shape(lambda: system.noise(jax.random.key(run.noise.seed), jnp.int32(0)))
    step, data, _ = hoisted(lambda x, noise: system.step(x, theta, noise), carry.x, noise)
    memory = executable(jax.jit(step).lower(data, carry.x, noise), device).memory_analysis()
    touched = (memory.temp_size_in_bytes + memory.output_size_in_bytes) if memory else _bytes(carry.x)
    return touched * max(1, round(_bytes(carry) / max(1, _bytes(carry.x))))


def _bytes(tree: PyTree) -> int:
    shapes = jax.tree.leaves(jax.eval_shape(unwrap_keys, tree))
    return sum(leaf.size * np.dtype(leaf.dtype).itemsize for leaf in shapes)


def _tuned(run: Run, layout: Callable[[int], Layout], lanes: int, engine: Any) -> int:
    """The batch size with the most cell-steps per second, over powers of two: stops at the first that is slower."""
    best, best_rate, size = 1, 0.0, 1
    while size <= max(1, run.grid.size // lanes):
        found = engine(run, layout(size), 1, size * lanes)
        found.compile()
        carries, _ = found.advance(found.start(), 0, 1)
        times = []
        for index in range(1, 4):
            begun = time.perf_counter()
            carries, _ = found.advance(carries, index, 1)
            times.append(time.perf_counter() - begun)
        found.close()
        rate = size / min(times)
        if rate < best_rate:
            break
        best, best_rate, size = size, rate, 2 * size
    return best
