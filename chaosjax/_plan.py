"""How cells are spread: batch size, chunk length and devices, by fixed rules."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import PyTree

CPU_WORKING_SET = 2**18
"""Bytes a batch may touch on one CPU core, measured on networks of 10 to 64 units and 120 to 1,437 samples: four times
as many cost up to a quarter of the steps a second, as caches miss and XLA hands small reductions to threads."""

ACCELERATOR_SHARE = 0.4
"""Share of an accelerator's memory that one batch may fill."""

CHUNK_BYTES = 64 * 2**20
"""Bytes of records that a chunk may hold."""

CHUNKS_A_RUN = 24
"""A run is stored in at least so many chunks: what a kill can cost."""


def batch_size_for(working_set: int, cells: int, devices: Sequence[Any]) -> int:
    """Cells run side by side: as many as fit the cache (CPU) or a share of the memory (GPU, TPU).

    A power of two, at least 1, and no more than a device's share of the cells.

    Args:
        working_set: bytes one cell touches in a step.
    """
    limit = CPU_WORKING_SET
    if devices[0].platform != "cpu":
        limit = int(ACCELERATOR_SHARE * (devices[0].memory_stats() or {}).get("bytes_limit", 8 * 2**30))
    fitting = max(1, limit // max(1, working_set))
    power = 2 ** int(np.log2(fitting))
    return min(power, ceil(cells / len(devices)))


def chunk_for(records: int, record_bytes: int) -> int:
    """Records a chunk: a run has at least `CHUNKS_A_RUN` chunks, a chunk at most `CHUNK_BYTES`."""
    return max(1, min(ceil(records / CHUNKS_A_RUN), CHUNK_BYTES // max(1, record_bytes)))


def batched(one_batch: Callable[..., Any], batch_size: int) -> Callable[..., Any]:
    """Runs ``one_batch(cells, state, shared) -> (state, outputs)`` over a device's cells, batch after batch.

    Returns ``(cells, state, shared, batches) -> (state, outputs)`` for trees with a leading axis of
    ``batches · batch_size`` cells. The number of batches is traced data: XLA then compiles one loop body whatever
    it is, which is why results are bitwise the same for any.
    """

    def local(cells: PyTree, state: PyTree, shared: PyTree, batches: jax.Array) -> tuple[PyTree, PyTree]:
        count = jax.tree.leaves(cells)[0].shape[0] // batch_size
        # Indexing an axis of one entry is compiled away, and what is left rounds otherwise: a lone batch gets company.
        slots = max(2, count)

        def stack(tree: PyTree) -> PyTree:
            stacked = jax.tree.map(lambda leaf: leaf.reshape(count, batch_size, *leaf.shape[1:]), tree)
            return jax.tree.map(lambda leaf: leaf if count > 1 else jnp.concatenate([leaf, leaf]), stacked)

        def flat(tree: PyTree) -> PyTree:
            return jax.tree.map(lambda leaf: leaf[:count].reshape(count * batch_size, *leaf.shape[2:]), tree)

        def at(tree: PyTree, i: Any) -> PyTree:
            return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, i, keepdims=False), tree)

        def put(tree: PyTree, values: PyTree, i: Any) -> PyTree:
            return jax.tree.map(lambda leaf, new: lax.dynamic_update_index_in_dim(leaf, new, i, 0), tree, values)

        cells, state = stack(cells), stack(state)
        _, shapes = jax.eval_shape(lambda: one_batch(at(cells, 0), at(state, 0), shared))
        empty = jax.tree.map(lambda leaf: jnp.zeros((slots, *leaf.shape), leaf.dtype), shapes)

        def body(i: jax.Array, states_and_outputs: tuple[PyTree, PyTree]) -> tuple[PyTree, PyTree]:
            states, outputs = states_and_outputs
            new, output = one_batch(at(cells, i), at(states, i), shared)
            return put(states, new, i), put(outputs, output, i)

        return flat(lax.fori_loop(0, batches, body, (state, empty)))

    return local


def padded(values: np.ndarray, batch_size: int, devices: int) -> np.ndarray:
    """The cells, with the last repeated until every device has the same number of full batches."""
    whole = devices * batch_size
    missing = -len(values) % whole
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)])
