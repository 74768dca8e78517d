"""Results on disk: a zarr group that grows chunk by chunk, with the checkpoint that continues it."""

import errno
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
import zarr
from jaxtyping import PyTree
from zarr.storage import MemoryStore

_CHECKPOINTS = "checkpoints"


class Variable(NamedTuple):
    """A record's shape and dtype over ``[cells, time, ...]`` and what is said about it."""

    shape: tuple[int, ...]
    dtype: np.dtype
    dims: tuple[str, ...]
    attrs: Mapping[str, Any]


class Checkpoint(NamedTuple):
    """Where an interrupted run goes on: at record `index`, with the leaves' bytes, after `seconds` of work."""

    index: int
    data: np.ndarray
    seconds: float


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
        times: np.ndarray,
        variables: Mapping[str, Variable],
        chunk: int,
        attrs: Mapping[str, Any],
    ) -> "Store":
        """A new store, on disk or, for path None, in memory.

        Raises:
            OSError: if it cannot be written.
        """
        location = MemoryStore() if path is None else Path(path)
        # made beside and moved into place, so that a store is whole or not there
        partial = location.with_name(f"{location.name}.partial") if isinstance(location, Path) else location
        with _writing(location):
            group = zarr.create_group(partial, attributes=dict(attrs), overwrite=True)
            for name, values in {**axes, "time": times}.items():
                group.create_array(name, data=values, dimension_names=(name,), attributes=_coordinate_attrs(name))
            cells = tuple(len(values) for values in axes.values())
            for name, variable in variables.items():
                own = variable.shape[1:]
                group.create_array(
                    name,
                    shape=(*cells, len(times), *own),
                    chunks=(*cells, min(chunk, len(times)), *own),
                    dtype=variable.dtype,
                    fill_value=np.nan if np.issubdtype(variable.dtype, np.floating) else 0,
                    dimension_names=(*axes, "time", *variable.dims),
                    attributes=dict(variable.attrs),
                )
            group.create_array(
                "diverged_at",
                data=np.full(cells, np.nan),
                dimension_names=tuple(axes),
                attributes={"long_name": "first record time that is not finite", "units": "steps"},
            )
            group.create_group(_CHECKPOINTS)
            if isinstance(partial, Path) and isinstance(location, Path):
                partial.rename(location)
                group = zarr.open_group(location, mode="r+")
        return cls(group, location)

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
    def open(cls, path: str | Path) -> "Store":
        """An existing store, for writing.

        Raises:
            ValueError: if the folder is no store of a sweep.
        """
        location = Path(path)
        try:
            group = zarr.open_group(location, mode="r+")
            made_here = "identity" in group.attrs
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            made_here = False
        if not made_here:
            raise ValueError(f"store: {location} is no store that sweep has made; choose another path")
        return cls(group, location)

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the numbers, as it was stored."""
        return dict(self.group.attrs["identity"])  # type: ignore[arg-type]

    @property
    def chunk(self) -> int:
        """Records a chunk."""
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

    def truncate(self, records: int) -> None:
        """Drops everything after the first `records` record times."""
        with _writing(self.location):
            for _, array in self.group.arrays():
                named: Any = array.metadata
                shape = zip(named.dimension_names, array.shape, strict=True)
                array.resize(tuple(records if dim == "time" else size for dim, size in shape))

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
            folder: Any = self.group[_CHECKPOINTS]
            name = f"{checkpoint.index:012d}"
            array = folder.create_array(name, data=checkpoint.data, compressors=None, overwrite=True)
            array.attrs.update({"seconds": checkpoint.seconds, "complete": True})
            for older in sorted(folder.array_keys()):
                if older != name:
                    del folder[older]

    def load(self) -> Checkpoint | None:
        """The last complete checkpoint; None if the run was cut before its first."""
        folder: Any = self.group[_CHECKPOINTS]
        for name in sorted(folder.array_keys(), reverse=True):
            array = folder[name]
            if array.attrs.get("complete"):
                return Checkpoint(int(name), array[...], float(array.attrs["seconds"]))
        return None

    def finish(self, attrs: Mapping[str, Any]) -> None:
        """Writes the final attributes and drops the checkpoint."""
        with _writing(self.location):
            self.group.attrs.update(dict(attrs))
            folder: Any = self.group[_CHECKPOINTS]
            for name in list(folder.array_keys()):
                del folder[name]

    def dataset(self) -> xr.Dataset:
        """The records as a labelled dataset; from disk they are read when used."""
        dataset = xr.open_zarr(self.location, consolidated=False, chunks=None)  # type: ignore[arg-type]
        return dataset.load() if isinstance(self.location, MemoryStore) else dataset


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Where two identities differ, as "key: theirs → ours", nested keys joined by dots."""
    found = []
    for key in sorted({*ours, *theirs}):
        mine, other = ours.get(key), theirs.get(key)
        if isinstance(mine, Mapping) and isinstance(other, Mapping):
            found += differences(mine, other, f"{prefix}{key}.")
        elif json.dumps(mine) != json.dumps(other):
            found.append(f"{prefix}{key}: {_short(other)} → {_short(mine)}")
    return found


def pack(tree: PyTree) -> np.ndarray:
    """The bytes of all leaves, in order, as one uint8 vector. Random keys are stored as their data."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(unwrap_keys(tree))]
    return np.concatenate([np.frombuffer(np.ascontiguousarray(leaf).tobytes(), np.uint8) for leaf in leaves])


def unpack(data: np.ndarray, template: PyTree) -> PyTree:
    """The tree of `pack`, with the shapes and dtypes of `template` (raw key data where it has keys).

    Raises:
        ValueError: if the sizes do not fit.
    """
    leaves, treedef = jax.tree.flatten(template)
    sizes = [int(np.prod(leaf.shape)) * np.dtype(leaf.dtype).itemsize for leaf in leaves]
    if sum(sizes) != data.size:
        raise ValueError(f"checkpoint: holds {data.size} bytes, this run's state has {sum(sizes)}; start afresh")
    parts = np.split(data, np.cumsum(sizes)[:-1])
    restored = [
        np.frombuffer(part.tobytes(), dtype=leaf.dtype).reshape(leaf.shape)
        for part, leaf in zip(parts, leaves, strict=True)
    ]
    return jax.tree.unflatten(treedef, restored)


def unwrap_keys(tree: PyTree) -> PyTree:
    """The tree with typed random keys replaced by their data."""
    return jax.tree.map(lambda leaf: jax.random.key_data(leaf) if _is_key(leaf) else leaf, tree)


def key_impls(tree: PyTree) -> PyTree:
    """The name of the generator of every random key in the tree, "" for other leaves."""
    return jax.tree.map(lambda leaf: str(jax.random.key_impl(leaf)) if _is_key(leaf) else "", tree)


def wrap_keys(tree: PyTree, impls: PyTree) -> PyTree:
    """The inverse of `unwrap_keys`, given the `key_impls` of the original."""
    return jax.tree.map(lambda leaf, impl: jax.random.wrap_key_data(leaf, impl=impl) if impl else leaf, tree, impls)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


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


def _coordinate_attrs(name: str) -> dict[str, Any]:
    known = {"time": {"long_name": "time", "units": "steps"}, "seed": {"long_name": "initialisation seed"}}
    return known.get(name, {"long_name": name.replace("_", " ")})


def _short(value: Any, most: int = 60) -> str:
    text = json.dumps(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def flat_dims(dims: Sequence[str] | Mapping[str, Sequence[str]], entry: str) -> tuple[str, ...]:
    """The own dims of one entry of a record."""
    return tuple(dims.get(entry, ()) if isinstance(dims, Mapping) else dims)
