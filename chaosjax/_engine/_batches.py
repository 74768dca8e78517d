"""Cells in batches: every batch has the same size, and so runs the same program."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from chaosjax._engine._group import Group, sharding_of


class Layout(NamedTuple):
    """Where cells run: batches of `batch_size`, dealt out over the devices in turn.

    Attributes:
        threads: batches computed at the same time on a CPU, each by a thread of its own. The machine code is the same
            for all of them, so their number changes no bit.
        reason: why the batches have their size.
    """

    batch_size: int
    devices: tuple[Any, ...]
    threads: int
    reason: str = "as asked"

    def device(self, batch: int) -> Any:
        """The device of a batch."""
        return self.devices[batch % len(self.devices)]

    @property
    def single_devices(self) -> tuple[Any, ...]:
        """The devices, those of a group one by one."""
        parts = [device.devices if isinstance(device, Group) else (device,) for device in self.devices]
        return tuple(single for part in parts for single in part)

    @property
    def at_once(self) -> int:
        """Devices at work, of a plain CPU threads."""
        first = self.devices[0]
        plain_cpu = first.platform == "cpu" and not isinstance(first, Group)
        return self.threads if plain_cpu else len(self.single_devices)

    def split(self, cells: PyTree) -> list[PyTree]:
        """Arrays ``[cells, ...]`` as batches on their devices; the last cell is repeated until its batch is full."""
        count = jax.tree.leaves(cells)[0].shape[0]

        def batch(index: int) -> PyTree:
            rows = np.minimum(np.arange(index * self.batch_size, (index + 1) * self.batch_size), count - 1)
            return jax.device_put(
                jax.tree.map(lambda leaf: np.asarray(leaf)[rows], cells), sharding_of(self.device(index))
            )

        return [batch(index) for index in range(-(-count // self.batch_size))]

    def pool(self) -> ThreadPoolExecutor:
        """Threads to compute batches with."""
        return ThreadPoolExecutor(self.threads, thread_name_prefix="chaosjax")


def joined(batches: list[PyTree], count: int) -> PyTree:
    """Batches as one tree of arrays ``[cells, ...]`` on the host, without the padding."""
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *jax.device_get(batches))
