"""A sweep's three programs, start, advance and observe, over all cells, batches and devices."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding
from jaxtyping import PyTree

from chaosjax._cell import Probes, advance, observe, start
from chaosjax._plan import batched, chunk_for, padded
from chaosjax._replicas import replicas
from chaosjax._store import key_impls, unwrap_keys, wrap_keys
from chaosjax._system import System

_HASHED_BYTES = 2**28
"""Data sets beyond it enter a fingerprint by shape alone; their checksum stands in the system's attrs."""


class Layout(NamedTuple):
    """Where cells run: `batch_size` side by side, batch after batch, on every device."""

    devices: tuple[Any, ...]
    batch_size: int

    def sharding(self, over_cells: bool) -> NamedSharding:
        """One device's share of the cells, or everything on every device."""
        mesh = Mesh(np.asarray(self.devices), ("cells",))
        return NamedSharding(mesh, PartitionSpec("cells") if over_cells else PartitionSpec())

    def place(self, cells: PyTree) -> PyTree:
        """Cells padded to whole batches, on their devices."""
        whole = jax.tree.map(lambda leaf: padded(np.asarray(leaf), self.batch_size, len(self.devices)), cells)
        return jax.device_put(whole, self.sharding(over_cells=True))

    def share(self, tree: PyTree, device: Any) -> PyTree:
        """What a device holds of placed arrays or, for shapes, would hold."""

        def own(leaf):
            if isinstance(leaf, jax.Array):
                return next(shard.data for shard in leaf.addressable_shards if shard.device == device)
            return jax.ShapeDtypeStruct(
                leaf.sharding.shard_shape(leaf.shape), leaf.dtype, sharding=SingleDeviceSharding(device)
            )

        return jax.tree.map(own, tree)

    def join(self, shares: list[PyTree]) -> PyTree:
        """The devices' shares of the cells as one tree."""
        sharding = self.sharding(over_cells=True)

        def whole(*parts):
            shape = (len(parts) * parts[0].shape[0], *parts[0].shape[1:])
            return jax.make_array_from_single_device_arrays(shape, sharding, list(parts))

        return jax.tree.map(whole, *shares)


class Programs(NamedTuple):
    """Functions over all (padded) cells, and what identifies them.

    Attributes:
        compile: ``() -> None``, all three; each is compiled on its first call otherwise.
        start: ``() -> carry``.
        advance: ``(carry, first, count) -> (carry, records)``: records `first`, …, `first + count - 1`,
            ``[cells, chunk, ...]`` of which the first `count` are filled; the carry is donated.
        observe: ``(carry, index) -> records``, ``[cells, ...]``; it ends the run: the carry is donated.
        place: puts a carry ``[cells, ...]`` from the host on the devices, padded.
        template: shapes and dtypes of one cell's carry.
        records: shapes and dtypes of one cell's records.
        chunk: most records one call of `advance` can hold.
        fingerprint: of the traced programs and the data they close over.
    """

    compile: Callable[[], None]
    start: Callable[[], PyTree]
    advance: Callable[[PyTree, int, int], tuple[PyTree, dict[str, Any]]]
    observe: Callable[[PyTree, int], dict[str, Any]]
    place: Callable[[PyTree], PyTree]
    template: PyTree
    records: dict[str, Any]
    chunk: int
    fingerprint: str


def trace(
    system: System,
    probes: Probes,
    cells: Mapping[str, np.ndarray],
    constants: Mapping[str, float],
    layout: Layout,
    *,
    stride: int,
    records: int,
    chunk: int | None,
    noise_seed: int,
    independent_noise: bool,
) -> Programs:
    """Traces each program once, for one batch; `Programs.compile` compiles them for all.

    Args:
        cells: per cell, ``seed`` and every control parameter that is an axis.
        constants: the control parameters that are no axis.
        records: number of records of the whole run.
        chunk: most records one call of `advance` can hold; None: by `plan.chunk_for`.
    """
    count = len(next(iter(cells.values())))
    dtype = jnp.result_type(float)
    placed = layout.place(
        {
            "theta": {name: values.astype(dtype) for name, values in cells.items() if name != "seed"},
            "seed": cells["seed"].astype(np.uint32),
            "index": np.arange(count, dtype=np.int32),
        }
    )
    one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), placed)

    def theta_of(cell):
        return {**constants, **cell["theta"]}

    def noise_key_of(cell):
        key = jax.random.key(noise_seed)
        return jax.random.fold_in(key, cell["index"]) if independent_noise else key

    def begin(cell):
        return start(system, probes, jax.random.key(cell["seed"]), theta_of(cell))

    def start_cell(cell, carry, shared):
        nonlocal impls
        carry = begin(cell)
        impls = key_impls(carry)
        return (), unwrap_keys(carry)

    impls = None
    _, template = jax.eval_shape(start_cell, one, (), ())

    def observe_cell(cell, carry, index):
        found = observe(system, probes, wrap_keys(carry, impls), index * stride, theta_of(cell), noise_key_of(cell))
        return carry, found

    _, record = jax.eval_shape(observe_cell, one, template, np.int32(0))
    capacity = min(chunk or chunk_for(records, count * _bytes(record)), records)

    def advance_cell(cell, carry, span):
        first, count = span

        def block(i, state):
            carry, filled = state
            carry, records = advance(
                system,
                probes,
                wrap_keys(carry, impls),
                (first + i) * stride,
                theta_of(cell),
                noise_key_of(cell),
                blocks=1,
                stride=stride,
            )
            filled = jax.tree.map(
                lambda buffer, new: lax.dynamic_update_index_in_dim(buffer, new[0], i, 0), filled, records
            )
            return unwrap_keys(carry), filled

        empty = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), record)
        return lax.fori_loop(0, count, block, (carry, empty))

    carry = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            (len(placed["index"]), *leaf.shape), leaf.dtype, sharding=layout.sharding(over_cells=True)
        ),
        template,
    )
    zero = np.int32(0)
    data = _Data(layout)
    started = _trace(start_cell, layout, data, placed, (), zero)
    advanced = _trace(advance_cell, layout, data, placed, carry, (zero, zero))
    observed = _trace(observe_cell, layout, data, placed, carry, zero)

    def compile_all() -> None:
        for program in (started, advanced, observed):
            program.compile()

    return Programs(
        compile=compile_all,
        start=lambda: started.run((), zero)[1],
        advance=lambda carry, first, count: advanced.run(carry, (np.int32(first), np.int32(count))),
        observe=lambda carry, index: observed.run(carry, np.int32(index))[1],
        place=layout.place,
        template=template,
        records=record,
        chunk=capacity,
        fingerprint=hashlib.sha256(started.digest + advanced.digest).hexdigest(),
    )


class _Traced(NamedTuple):
    run: Callable[[PyTree, PyTree], PyTree]
    compile: Callable[[], Any]
    digest: bytes


def working_set(
    system: System,
    probes: Probes,
    axes: Mapping[str, np.ndarray],
    constants: Mapping[str, float],
    noise_seed: int,
) -> int:
    """Bytes that one cell touches in a step: the step's own, times how many phase points the cell carries."""
    dtype = jnp.result_type(float)
    theta = {**constants, **{name: dtype.type(values[0]) for name, values in axes.items() if name != "seed"}}
    carry = jax.eval_shape(lambda: start(system, probes, jax.random.key(0), theta))
    noise = jax.eval_shape(lambda: system.noise(jax.random.key(noise_seed), jnp.int32(0)))
    step, data, _ = _hoist(lambda x, noise: system.step(x, theta, noise), carry.x, noise)
    memory = jax.jit(step).lower(data, carry.x, noise).compile().memory_analysis()
    touched = (memory.temp_size_in_bytes + memory.output_size_in_bytes) if memory else _bytes(carry.x)
    return touched * max(1, round(_bytes(carry) / max(1, _bytes(carry.x))))


def _bytes(tree: PyTree) -> int:
    return sum(
        prod(leaf.shape) * np.dtype(leaf.dtype).itemsize for leaf in jax.tree.leaves(jax.eval_shape(unwrap_keys, tree))
    )


def _hoist(function: Callable[..., PyTree], *args: PyTree) -> tuple[Callable[..., PyTree], list[Any], Any]:
    """The function with the data it closes over as its first argument, that data, and the trace.

    Embedded into a program, a training set would be copied and folded by the compiler.
    """
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    treedef = jax.tree.structure(shapes)

    def hoisted(data: list[Any], *args: PyTree) -> PyTree:
        return jax.tree.unflatten(treedef, jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, data))(*jax.tree.leaves(args)))

    return hoisted, traced.consts, traced


class _Data:
    """What programs close over, on every device once, however many programs share it."""

    def __init__(self, layout: Layout):
        self._sharding = layout.sharding(over_cells=False)
        self._placed: dict[int, tuple[Any, jax.Array]] = {}

    def place(self, constants: list[Any]) -> list[jax.Array]:
        for constant in constants:
            if id(constant) not in self._placed:  # the constant is held too, so that its id stays its own
                self._placed[id(constant)] = constant, jax.device_put(constant, self._sharding)
        return [self._placed[id(constant)][1] for constant in constants]


def _digest(traced: ClosedJaxpr) -> bytes:
    """A hash of a traced program and its data; of data above `_HASHED_BYTES` only shape and dtype count."""
    digest = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", str(traced.jaxpr)).encode())
    for constant in jax.device_get(unwrap_keys(traced.consts)):
        array = np.ascontiguousarray(constant)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes() if array.nbytes <= _HASHED_BYTES else b"")
    return digest.digest()


def _trace(
    one_cell: Callable[..., PyTree], layout: Layout, data: _Data, cells: PyTree, carry: PyTree, shared: PyTree
) -> _Traced:
    """``one_cell(cell, carry, shared)`` over all cells, as ``(carry, shared) -> (carry, outputs)``."""

    def batch(leaf):
        return jax.ShapeDtypeStruct((layout.batch_size, *leaf.shape[1:]), leaf.dtype)

    one_batch, constants, traced = _hoist(
        jax.vmap(one_cell, in_axes=(0, 0, None)), *jax.tree.map(batch, (cells, carry)), shared
    )
    run = batched(lambda cells, carry, shared: one_batch(shared[0], cells, carry, shared[1]), layout.batch_size)

    def on_device(cells, carry, constants, shared, batches):
        return run(cells, carry, (constants, shared), batches)

    constants = data.place(constants)
    batches = np.int32(jax.tree.leaves(cells)[0].shape[0] // (len(layout.devices) * layout.batch_size))

    def arguments(device, carry, shared):
        return *layout.share((cells, carry, constants), device), shared, batches

    @cache
    def programs():
        jitted = jax.jit(on_device, donate_argnums=1)
        return replicas(jitted, layout.devices, lambda device: arguments(device, carry, shared))

    def over_all(carry, shared):
        shares = [arguments(device, carry, shared) for device in layout.devices]  # before the first is donated
        return layout.join([program(*share) for program, share in zip(programs(), shares, strict=True)])

    return _Traced(
        run=over_all,
        compile=programs,
        digest=_digest(traced),
    )
