"""What a run takes of a device's memory, what is free, and the batch size that would fit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax

from chaosjax._engine._batches import Layout

_CGROUPS = (
    ("/sys/fs/cgroup", "memory.max", "memory.current", "file"),
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache"),
)
"""Where Linux keeps a container's limit, what is used of it, and the files among that, in its two versions."""


class Need(NamedTuple):
    """Bytes that a run takes of the busiest device (a CPU: of the machine), beside what is there already.

    Attributes:
        states: of all its cells; they stay on the device between two calls.
        records: of one chunk of its cells.
        working: what the compiler allots to the batches that are computed at the same time.
    """

    states: int
    records: int
    working: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(self)

    def __str__(self) -> str:
        parts = {"states": self.states, "records of a chunk": self.records, "batches at work": self.working}
        return f"{readable(self.total)} ({', '.join(f'{name} {readable(size)}' for name, size in parts.items())})"


class OutOfMemory(MemoryError):
    """A run that does not fit its device.

    Attributes:
        fits: the largest cells_per_batch that would; None: none does.
    """

    def __init__(self, message: str, fits: int | None):
        super().__init__(message)
        self.fits = fits


def need_of(layout: Layout, cells: int, state_bytes: int, record_bytes: int, working: int) -> Need:
    """What cells in batches take.

    Args:
        state_bytes: of one cell.
        record_bytes: of one cell and chunk.
        working: temporary bytes of one batch.
    """
    batches = -(-cells // layout.batch_size)
    on_cpu = layout.devices[0].platform == "cpu"
    held = (batches if on_cpu else -(-batches // len(layout.devices))) * layout.batch_size
    return Need(held * state_bytes, held * record_bytes, working * min(layout.threads, batches))


def free_bytes(device: Any) -> int | None:
    """Bytes of a device that are free now; of a CPU: of the machine or its container. None where that is not told."""
    if device.platform != "cpu":
        stats = device.memory_stats() or {}
        limit = stats.get("bytes_limit")
        return None if limit is None else limit - stats.get("bytes_in_use", 0)
    found = [_available(), *(_left(*names) for names in _CGROUPS)]
    return min((size for size in found if size is not None), default=None)


def batch_that_fits(need: Need, free: int | None, batch_size: int) -> int | None:
    """The largest smaller power of two with which the run fits; None if no batch size helps."""
    size = 1 << max(0, (batch_size - 1).bit_length() - 1)
    while size < batch_size:
        if free is None or need.states + need.records + need.working * size // batch_size <= free:
            return size
        if size == 1:
            break
        size //= 2
    return None


def check_fit(need: Need, layout: Layout) -> None:
    """Refuse what cannot fit.

    Raises:
        OutOfMemory: with the numbers, and the batch size that would fit.
    """
    free = free_bytes(layout.devices[0])
    if free is not None and need.total > free:
        raise out_of_memory(need, free, layout, "does not fit")


def out_of_memory(need: Need, free: int | None, layout: Layout, what: str) -> OutOfMemory:
    """The error of a run that does not fit, with its remedy."""
    fits = batch_that_fits(need, free, layout.batch_size)
    if fits is not None:
        remedy = f"cells_per_batch={fits} would fit"
    else:
        remedy = "no smaller batch would: take fewer cells, copies or vectors, a smaller chunk, float32 or more devices"
    told = "an unknown amount" if free is None else readable(free)
    message = (
        f"cells_per_batch={layout.batch_size} {what} on {layout.devices[0].device_kind}: the run takes {need}, "
        f"and {told} is free; {remedy}"
    )
    return OutOfMemory(message, fits)


@contextmanager
def heard_out_of_memory(need: Need, layout: Layout) -> Iterator[None]:
    """Turn the runtime's own error into one that says what would fit.

    Raises:
        OutOfMemory: where the device had no memory left.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise out_of_memory(need, free_bytes(layout.devices[0]), layout, "ran out of memory") from error


def readable(size: int) -> str:
    """Bytes in the unit that suits them."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:,.3g} TiB"


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _left(folder: str, limit: str, used: str, files: str) -> int | None:
    """What a container may still take; pages of files give way to it."""
    place = Path(folder)
    try:
        stat = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
        taken = int((place / used).read_text()) - int(stat.get(files, 0))
        return max(0, int((place / limit).read_text()) - taken)
    except (OSError, ValueError):  # no container, or one without a limit
        return None
