"""The state of all cells as plain bytes, and random keys as their data."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, UInt8


class Checkpoint(NamedTuple):
    """Where an interrupted run goes on: at record `index`, with the leaves' bytes, after `seconds` of work."""

    index: int
    data: UInt8[np.ndarray, " bytes"]
    seconds: float


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
