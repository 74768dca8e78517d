"""Results on disk: a zarr group that grows chunk by chunk, with the checkpoint that continues it."""

import errno
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from zarr.errors import ContainsArrayError
from zarr.storage import MemoryStore

from chaosjax._results._checkpoint import Checkpoint
from chaosjax._results._creation import CHECKPOINTS, created
from chaosjax._results._provenance import differences, flat_attrs
from chaosjax._results._variables import Variable
from chaosjax._run import Clock


class Store:
    """Records of a sweep in one zarr group: ``[*cell axes, time, *own dims]``, missing values NaN.

    The order of writing makes a kill harmless: records first, then the checkpoint that counts them; zarr
    replaces files atomically. Nothing in a store is executable, and nothing is unpickled.
    """

    def __init__(self, group: zarr.Group, location: Path | MemoryStore):
        self.group = group
        self.location = location

    @classmethod
    def create(
        cls,
        path: str | Path | None,
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
        if path is None:
            memory = MemoryStore()
            return cls(created(memory, axes, times, variables, chunk, attrs), memory)
        location = Path(path)
        with (
            _writing(location),
            tempfile.TemporaryDirectory(prefix=f".{location.name}-", dir=location.parent) as beside,
        ):
            # moved into place when it is whole, so that a store is there or is not
            whole = Path(beside) / location.name
            created(whole, axes, times, variables, chunk, attrs)
            whole.rename(location)
        return cls(zarr.open_group(location, mode="r+"), location)

    @staticmethod
    def check_path(path: str | Path) -> None:
        """Whether a new store can be made there, before anything is computed for it.

        Raises:
            FileExistsError: if the path exists.
            OSError: if its folder cannot be made or written.
        """
        location = Path(path)
        if location.exists():
            raise FileExistsError(
                f"store: {location} exists; continue it with resume=True, or choose another path (nothing was touched)"
            )
        with _writing(location):
            location.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=location.parent):
                pass

    @classmethod
    def to_continue(cls, path: str | Path | None, resume: bool) -> "Store | None":
        """The store to continue, or None after a look whether a new one could be made.

        Raises:
            ValueError: for resume without a path, or a folder that is no store of a sweep.
            FileExistsError: for a path that exists, without resume.
            OSError: if a new store could not be written there.
        """
        if path is None:
            if resume:
                raise ValueError("resume=True needs the store to continue: give store=FOLDER")
            return None
        if resume and Path(path).exists():
            return cls.open(path)
        cls.check_path(path)
        return None

    @classmethod
    def open(cls, path: str | Path) -> "Store":
        """An existing store, for writing.

        Raises:
            ValueError: if the folder is no store of a sweep.
        """
        location = Path(path)
        try:
            group = zarr.open_group(location, mode="r+")
            made_here = "identity" in group.attrs
        except (FileNotFoundError, FileExistsError, NotADirectoryError, json.JSONDecodeError, ContainsArrayError):
            made_here = False
        if not made_here:
            raise ValueError(f"store: {location} is no store that sweep has made; choose another path")
        store = cls(group, location)
        if store.finished:  # a kill may have come between the mark and the cut
            store._truncate(int(str(group.attrs["length"])))
        return store

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
        return self.group["alive"].chunks[self._axes]  # type: ignore[union-attr]

    @property
    def on_disk(self) -> bool:
        """Whether it outlives the process."""
        return isinstance(self.location, Path)

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return "finished" in self.group.attrs

    @property
    def _axes(self) -> int:
        return self.group["diverged_at"].ndim  # type: ignore[union-attr]

    def write(self, index: int, records: Mapping[str, np.ndarray]) -> None:
        """Records ``[cells, count, ...]`` at times index, index + 1, …

        Raises:
            OSError: naming the store and what to do, when the disk is full or not writable.
        """
        with _writing(self.location):
            for name, values in records.items():
                array = self.group[name]
                count = values.shape[1]
                shape = (*array.shape[: self._axes], *values.shape[1:])  # type: ignore[union-attr]
                region = (slice(None),) * self._axes + (slice(index, index + count),)
                array[region] = values.reshape(shape)  # type: ignore[index]

    def record(self, first: int, stride: int, chunk: Mapping[str, np.ndarray], diverged: np.ndarray) -> None:
        """Write records from index `first` on, and note in `diverged` ``[cells]`` when cells died."""
        alive = chunk["alive"]
        died = ~alive.all(axis=1) & np.isnan(diverged)
        diverged[died] = (first + np.argmin(alive, axis=1)[died]) * stride
        if not np.isnan(diverged).any():  # the run ends with its last cell, wherever a chunk happens to
            end = max(0, int(diverged.max()) // stride + 1 - first)
            chunk = {name: values[:, :end] for name, values in chunk.items()}
        self.write(first, chunk)
        self.write_diverged(diverged)

    def write_diverged(self, times: np.ndarray) -> None:
        """When each cell stopped being finite, ``[cells]``; NaN for never."""
        with _writing(self.location):
            array = self.group["diverged_at"]
            array[...] = times.reshape(array.shape)  # type: ignore[index, union-attr]

    def read_diverged(self) -> np.ndarray:
        """What `write_diverged` wrote last."""
        return np.asarray(self.group["diverged_at"][...]).ravel()  # type: ignore[index]

    def save(self, checkpoint: Checkpoint) -> None:
        """Makes this the checkpoint to continue from, then drops older ones. In memory nothing is kept."""
        if isinstance(self.location, MemoryStore):
            return
        with _writing(self.location):
            folder: Any = self.group[CHECKPOINTS]
            name = f"{checkpoint.index:012d}"
            array = folder.create_array(name, data=checkpoint.data, compressors=None, overwrite=True)
            array.attrs.update({"seconds": checkpoint.seconds, "complete": True})
            for older in sorted(folder.array_keys()):
                if older != name:
                    del folder[older]

    def load(self) -> Checkpoint | None:
        """The last complete checkpoint; None if the run was cut before its first."""
        folder: Any = self.group[CHECKPOINTS]
        for name in sorted(folder.array_keys(), reverse=True):
            array = folder[name]
            if array.attrs.get("complete"):
                return Checkpoint(int(name), array[...], float(array.attrs["seconds"]))
        return None

    def finish(self, records: int, attrs: Mapping[str, Any]) -> None:
        """Write the final attributes, of a run of so many records; then drop what lies beyond, and the checkpoint.

        A kill on the way leaves a finished store, which `open` trims again.
        """
        with _writing(self.location):
            self.group.attrs.update(dict(flat_attrs({**attrs, "length": records})))
            self._truncate(records)
            folder: Any = self.group[CHECKPOINTS]
            for name in list(folder.array_keys()):
                del folder[name]

    def _truncate(self, records: int) -> None:
        for _, array in self.group.arrays():
            named: Any = array.metadata
            dims = named.dimension_names or ()
            if "time" in dims:
                array.resize([records if dim == "time" else n for dim, n in zip(dims, array.shape, strict=True)])

    def dataset(self, times: slice = slice(None)) -> xr.Dataset:
        """The records at some times, by number, as a labelled dataset; from disk they are read when used."""
        dataset = xr.open_zarr(self.location, consolidated=False, chunks=None)  # type: ignore[arg-type]
        dataset = dataset[json.loads(dataset.attrs["records"])].isel(time=times)  # zarr keeps no order
        return dataset.load() if isinstance(self.location, MemoryStore) else dataset


@contextmanager
def _writing(location: Path | MemoryStore) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full: free space, then go on with resume=True; what was recorded before is kept"
        else:
            remedy = f"cannot be written ({error.strerror or error}): choose a folder that can"
        raise OSError(error.errno, f"store: {location}: {remedy}") from error
