"""The state of all cells as plain bytes, and random keys as their data; checkpoints on disk with their checksum."""

import hashlib
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import zarr
from jaxtyping import PyTree, UInt8

from chaosjax._results._integrity import Damage

CHECKPOINTS = "checkpoints"
"""The group of a store that holds the states to continue from."""

KEPT = 2
"""Checkpoints that a store holds, the last ones: when a machine fails, what was written last may be lost."""


_CHECKSUM = "checksum"
"""Written last: a checkpoint without one was cut short by a kill."""


class Checkpoint(NamedTuple):
    """Where an interrupted run goes on: at record `index`, with the leaves' bytes, after `seconds` of work."""

    index: int
    data: UInt8[np.ndarray, " bytes"]
    seconds: float


def save_checkpoint(group: zarr.Group, checkpoint: Checkpoint) -> None:
    """Write it beside the others, then drop all but the last `KEPT`."""
    folder: Any = group[CHECKPOINTS]
    location = Path(folder.store.root)
    name = f"{checkpoint.index:012d}"
    remove_checkpoint(location, name)
    array = folder.create_array(name, data=checkpoint.data, compressors=None)
    array.update_attributes({"seconds": checkpoint.seconds, _CHECKSUM: _checksum(checkpoint)})
    for other in sorted(_names(location), reverse=True)[KEPT:]:
        remove_checkpoint(location, other)


def checkpoints_in(location: Path) -> tuple[list[Checkpoint], list[Damage]]:
    """The checkpoints of a store on disk that are whole, the last one first, and the others."""
    good, lost = [], []
    for name in sorted(_names(location), reverse=True):
        cut = False
        try:
            array: Any = zarr.open_array(location / CHECKPOINTS / name, mode="r")
            cut = not array.attrs.get(_CHECKSUM)
            found = Checkpoint(int(name), np.asarray(array[...]), float(array.attrs["seconds"]))
            whole = array.attrs[_CHECKSUM] == _checksum(found)
        except FileNotFoundError:
            cut, whole = True, False
        except Exception:  # of many kinds: whatever zarr meets in files that were altered
            whole = False
        if whole:
            good.append(found)
        else:
            lost.append(Damage(name, "the checkpoint was altered", interrupted=cut))
    return good, lost


def remove_checkpoint(location: Path, name: str) -> None:
    """Remove a checkpoint, its metadata first: without them it counts as one that is being written or removed."""
    folder = location / CHECKPOINTS / name
    (folder / "zarr.json").unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def drop_checkpoints(location: Path) -> None:
    """Remove them all."""
    for name in _names(location):
        remove_checkpoint(location, name)


def _names(location: Path) -> list[str]:
    return [path.name for path in (location / CHECKPOINTS).glob("*") if path.is_dir()]


def _checksum(checkpoint: Checkpoint) -> str:
    digest = hashlib.sha256(f"{checkpoint.index} {checkpoint.seconds!r}".encode())
    digest.update(np.ascontiguousarray(checkpoint.data).data)
    return digest.hexdigest()


def pack(tree: PyTree) -> UInt8[np.ndarray, " bytes"]:
    """The bytes of all leaves, in order, as one vector. Random keys are stored as their data."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(unwrap_keys(tree))]
    return np.concatenate([np.frombuffer(np.ascontiguousarray(leaf).tobytes(), np.uint8) for leaf in leaves])


def unpack(data: UInt8[np.ndarray, " bytes"], template: PyTree) -> PyTree:
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
