"""Results on disk: a zarr group that grows chunk by chunk, with the checkpoint that continues it."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.storage import MemoryStore

from chaosjax._results._checkpoint import Checkpoint, drop_checkpoints, save_checkpoint
from chaosjax._results._creation import WRITE_ALL, created, created_whole
from chaosjax._results._integrity import damages, sealed
from chaosjax._results._provenance import differences, flat_attrs
from chaosjax._results._reading import dataset_of, group_at, refuse_damaged
from chaosjax._results._resumption import prepared
from chaosjax._results._variables import Variable
from chaosjax._results._writing import check_free, writing
from chaosjax._run import Clock


class Store:
    """Records of a sweep in one zarr group: ``[*cell axes, time, *own dims]``, missing values NaN.

    The order of writing makes a kill harmless: records first, then the checkpoint that counts them; zarr
    replaces files atomically. Every chunk, checkpoint and attribute has a checksum. Nothing in a store is executable,
    and nothing is unpickled.
    """

    def __init__(self, group: zarr.Group, location: Path | MemoryStore):
        self.group = group
        self.location = location
        self._arrays: dict[str, Any] = {}  # to open one takes longer than to write a chunk of a small run

    @classmethod
    def create(
        cls,
        location: Path | None,
        axes: Mapping[str, np.ndarray],
        clock: Clock,
        variables: Mapping[str, Variable],
        chunk: int,
        attrs: Mapping[str, Any],
    ) -> "Store":
        """A new store, on disk or, for path None, in memory.

        Raises:
            OSError: if it cannot be written.
        """
        times = np.arange(clock.records) * clock.stride
        if location is None:
            memory = MemoryStore()
            return cls(created(memory, axes, times, variables, chunk, attrs), memory)
        with writing(location):
            created_whole(location, axes, times, variables, chunk, attrs)
        return cls(zarr.open_group(location, mode="r+"), location)

    @classmethod
    def to_continue(cls, location: Path | None, resume: bool) -> "Store | None":
        """The store to continue, or None after a look whether a new one could be made.

        Raises:
            ValueError: for resume without a path, or a folder that is no store of a sweep.
            FileExistsError: for a path that exists, without resume.
            OSError: if a new store could not be written there.
        """
        if location is None:
            if resume:
                raise ValueError("resume=True needs the store to continue: give store=FOLDER")
            return None
        if resume and location.exists():
            return cls.open(location)
        check_free(location)
        return None

    @classmethod
    def open(cls, location: Path) -> "Store":
        """An existing store, for writing.

        Raises:
            ValueError: if the folder is no store of a sweep, one of another format, or its attributes are damaged.
        """
        return cls(group_at(location, "r+", intact=True), location)

    def check_identity(self, ours: Mapping[str, Any]) -> None:
        """Refuse to continue another run.

        Raises:
            ValueError: naming what differs.
        """
        changed = differences(ours, self.identity)
        if changed:
            raise ValueError(
                f"store: {self.location} is of another run ({'; '.join(changed)}); "
                "resume with its settings, or take a new path"
            )

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the numbers, as it was stored."""
        return json.loads(str(self.group.attrs["identity"]))

    @property
    def chunk(self) -> int:
        """Records per chunk."""
        return int(str(self.group.attrs["chunk"]))

    @property
    def on_disk(self) -> bool:
        """Whether it outlives the process."""
        return isinstance(self.location, Path)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return "finished" in self.group.attrs

    @property
    def length(self) -> int:
        """Records of a finished run."""
        return int(str(self.group.attrs["length"]))

    @property
    def _axes(self) -> int:
        return self._array("diverged_at").ndim

    def write(self, index: int, records: Mapping[str, np.ndarray]) -> None:
        """Records ``[cells, count, ...]`` at times index, index + 1, …

        Raises:
            OSError: naming the store and what to do, when the disk is full or not writable.
        """
        with writing(self.location):
            for name, values in records.items():
                array = self._array(name)
                count = values.shape[1]
                shape = (*array.shape[: self._axes], *values.shape[1:])
                region = (slice(None),) * self._axes + (slice(index, index + count),)
                array[region] = values.reshape(shape)

    def record(
        self,
        first: int,
        stride: int,
        chunk: Mapping[str, np.ndarray],
        diverged: np.ndarray,
        to_the_end: bool = False,
    ) -> None:
        """Write records from index `first` on, and note in `diverged` ``[cells]`` when cells died.

        Args:
            to_the_end: also those behind the death of the last cell.
        """
        alive = chunk["alive"]
        died = ~alive.all(axis=1) & np.isnan(diverged)
        diverged[died] = (first + np.argmin(alive, axis=1)[died]) * stride
        if not to_the_end and not np.isnan(diverged).any():  # the run ends with its last cell, not with a chunk
            end = max(0, int(diverged.max()) // stride + 1 - first)
            chunk = {name: values[:, :end] for name, values in chunk.items()}
        self.write(first, chunk)
        self.write_diverged(diverged)

    def write_diverged(self, times: np.ndarray) -> None:
        """When each cell stopped being finite, ``[cells]``; NaN for never."""
        with writing(self.location):
            array = self._array("diverged_at")
            array[...] = times.reshape(array.shape)

    def save(self, checkpoint: Checkpoint) -> None:
        """Makes this the checkpoint to continue from. In memory nothing is kept."""
        if isinstance(self.location, MemoryStore):
            return
        with writing(self.location):
            save_checkpoint(self.group, checkpoint)

    def note(self, attrs: Mapping[str, Any]) -> None:
        """Change attributes of the whole store."""
        with writing(self.location):
            self.group.attrs.update(sealed({**self.group.attrs.asdict(), **flat_attrs(attrs)}))

    def load(self) -> Checkpoint | None:
        """The checkpoint to go on from, behind which all is removed; None for the beginning (see `prepared`).

        Raises:
            ValueError: if something is damaged that no computation brings back.
        """
        if self.finished or not isinstance(self.location, Path):
            return None
        with writing(self.location):
            return prepared(self.group, self.location)

    def finish(self, records: int, diverged: np.ndarray, attrs: Mapping[str, Any]) -> None:
        """Write the final attributes, of a run of so many records; then drop what lies beyond, and the checkpoints.

        A kill on the way leaves a finished store, whose records are read up to the end that is written.
        """
        stride = int(self.identity["stride"])
        last = records if np.isnan(diverged).any() else min(records, int(diverged.max()) // stride + 1)
        ending = flat_attrs({**attrs, "length": records, "recorded": last})
        with writing(self.location):
            self.group.update_attributes(sealed({**self.group.attrs.asdict(), **ending}))
            self.tidy()

    def tidy(self) -> None:
        """Cut a finished store to its length and drop the checkpoints."""
        records = self.length
        for _, array in self.group.arrays():
            named: Any = array.metadata
            dims = named.dimension_names or ()
            if "time" in dims and array.shape[dims.index("time")] != records:
                array.resize([records if dim == "time" else n for dim, n in zip(dims, array.shape, strict=True)])
        if isinstance(self.location, Path):
            drop_checkpoints(self.location)

    def dataset(self, times: slice = slice(None)) -> xr.Dataset:
        """The records at some times, by number, as a labelled dataset; from disk they are read when used."""
        dataset = dataset_of(self.location, self.group).isel(time=times)
        return dataset.load() if isinstance(self.location, MemoryStore) else dataset

    def verified(self) -> xr.Dataset:
        """The dataset of a finished store, once it has been cut to its length and every chunk read.

        Raises:
            ValueError: if it is damaged.
        """
        assert isinstance(self.location, Path)
        attrs = self.group.attrs
        refuse_damaged(self.location, list(damages(self.group, self.location, int(str(attrs["recorded"])), read=True)))
        with suppress(OSError):  # in a folder that cannot be written it stays as it is
            self.tidy()
        return self.dataset()

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            array: Any = self.group[name]
            self._arrays[name] = array.with_config(WRITE_ALL)
        return self._arrays[name]
