"""The three programs of a sweep, start, advance and observe, over all batches, threads and devices."""

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import PyTree

from chaosjax._cell import Carry, block, observe, start
from chaosjax._engine._batches import Layout, joined
from chaosjax._engine._compilation import Data, Program, sources
from chaosjax._engine._memory import Need, need_of
from chaosjax._engine._planning import chunk_for
from chaosjax._results import key_impls, unwrap_keys, wrap_keys
from chaosjax._run import Run

Batches = list[PyTree]
"""The carries of all cells, batch by batch."""


class Engine:
    """The compiled programs of one run.

    Attributes:
        records: shapes and dtypes of one cell's records.
        layout: where its cells run.
        chunk: most records that one call of `advance` can hold.
        weights: number of the network's parameters.
        fingerprint: of the traced programs and the data they close over.
        trace_seconds, compile_seconds: what tracing and compiling took.
        sources: how many of the programs were compiled, or taken from disk or from memory.
    """

    def __init__(
        self, run: Run, layout: Layout, chunk: int | None = None, most: int | None = None, followed: bool = True
    ):
        """Trace each program once, for one batch; `chunk` None: by `chunk_for`; `most`: only so many cells."""
        begun = time.perf_counter()
        self.layout = layout
        self._count = min(run.grid.size, most or run.grid.size)
        cells = jax.tree.map(lambda values: values[: self._count], run.grid.cells())
        self._cells = layout.split(cells)
        one = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), cells)
        functions = _Functions(run)
        carry = jax.eval_shape(functions.start, one)
        self.records = jax.eval_shape(functions.observe, one, carry, np.int32(0))
        self._record_bytes = _bytes(self.records)
        rule = chunk_for(run.clock.records, self._count * self._record_bytes, followed)
        self.chunk = min(chunk or rule, run.clock.records)

        def batch(tree: PyTree) -> PyTree:
            return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((layout.batch_size, *leaf.shape), leaf.dtype), tree)

        def program(function: Callable[..., PyTree], *arguments: PyTree, donate: int | None = None) -> Program:
            return Program(function, arguments, layout.devices, data, donate)

        data, number = Data(layout.devices), np.int32(0)
        over = partial(_over_cells, layout.batch_size)
        advance = over(functions.advance(self.records, self.chunk), 2)
        self._start = program(over(functions.start, 1), batch(one))
        self._advance = program(advance, batch(one), batch(carry), number, number, donate=1)
        self._observe = program(over(functions.observe, 2), batch(one), batch(carry), number)
        self._carry = carry
        params = jax.eval_shape(run.system.params, jax.eval_shape(functions.point, carry))
        self.weights = sum(leaf.size for leaf in jax.tree.leaves(params))
        self.fingerprint = hashlib.sha256(self._start.digest() + self._advance.digest()).hexdigest()
        self._pool = layout.pool()
        self.trace_seconds, self.compile_seconds, self.sources = time.perf_counter() - begun, 0.0, Counter[str]()

    def compile(self) -> None:
        """Compile the three programs, side by side."""
        begun, before = time.perf_counter(), sources()
        programs = (self._advance, self._observe, self._start)
        lowered = [program.lower() for program in programs]
        with ThreadPoolExecutor(len(programs)) as pool:
            list(pool.map(Program.compile, programs, lowered))
        self.compile_seconds, self.sources = time.perf_counter() - begun, sources() - before

    def need(self) -> Need:
        """Memory that the compiled programs will take, beside the data that they have already."""
        working = max(program.working_bytes for program in (self._advance, self._observe, self._start))
        return need_of(self.layout, self._count, _bytes(self._carry), self.chunk * self._record_bytes, working)

    def lower_for(self, platform: str, sharding: Any = None) -> dict[str, jax.stages.Lowered]:
        """The programs by name, for a platform that this machine need not have."""
        programs = {"start": self._start, "advance": self._advance, "observe": self._observe}
        return {name: program.lower_for(platform, sharding) for name, program in programs.items()}

    def start(self) -> Batches:
        """The first state of every cell."""
        return self._over_batches(lambda device, cells: self._start(device, cells), self._cells)

    def advance(self, carries: Batches, first: int, count: int) -> tuple[Batches, dict[str, Any]]:
        """Records `first`, …, `first + count - 1` of all cells, ``[cells, count, ...]``; the carries are used up."""
        span = np.int32(first), np.int32(count)
        results = self._over_batches(
            lambda device, cells, carry: self._advance(device, cells, carry, *span), self._cells, carries
        )
        records = joined([records for _, records in results], self._count)
        return [carry for carry, _ in results], jax.tree.map(lambda leaf: leaf[:, :count], records)

    def observe(self, carries: Batches, index: int) -> dict[str, Any]:
        """Record number `index` of all cells, ``[cells, 1, ...]``, without a step."""
        results = self._over_batches(
            lambda device, cells, carry: self._observe(device, cells, carry, np.int32(index)), self._cells, carries
        )
        return jax.tree.map(lambda leaf: leaf[:, None], joined(results, self._count))

    def fetch(self, carries: Batches) -> PyTree:
        """The states as arrays ``[cells, ...]`` on the host; random keys as their data."""
        return joined(carries, self._count)

    def place(self, state: PyTree) -> Batches:
        """The inverse of `fetch`."""
        return self.layout.split(state)

    def state_template(self) -> PyTree:
        """Shapes and dtypes of what `fetch` returns."""
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((self._count, *leaf.shape), leaf.dtype), self._carry)

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown()

    def _over_batches(self, compute: Callable[..., PyTree], *batches: list[PyTree]) -> list[PyTree]:
        """A program over all batches: by threads on a CPU, one after the other elsewhere, where calls do not wait."""

        def one(index: int, *arguments: PyTree) -> PyTree:
            result = compute(self.layout.device(index), *arguments)
            return jax.block_until_ready(result) if threaded else result

        threaded = self.layout.threads > 1 and len(batches[0]) > 1
        return list((self._pool.map if threaded else map)(one, range(len(batches[0])), *batches))


def _over_cells(size: int, function: Callable[..., PyTree], batched: int) -> Callable[..., PyTree]:
    """A function of one cell over a batch, which its first `batched` arguments have; a batch of one without vmap.

    XLA's batched matrix products of one matrix are up to a tenth slower than plain ones.
    """
    if size > 1:
        return lambda *args: jax.vmap(function, in_axes=tuple(0 if i < batched else None for i in range(len(args))))(
            *args
        )

    def alone(*args: PyTree) -> PyTree:
        cell = jax.tree.map(lambda leaf: leaf[0], args[:batched])
        return jax.tree.map(lambda leaf: leaf[None], function(*cell, *args[batched:]))

    return alone


def _bytes(shapes: PyTree) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))


class _Functions:
    """The functions of one cell, ``cell = {theta, seed, index}``; random keys cross their bounds as plain data."""

    def __init__(self, run: Run):
        self._run = run
        self._impls: PyTree = None

    def start(self, cell: dict[str, Any]) -> Carry:
        run = self._run
        carry = start(run.system, run.probes, jax.random.key(cell["seed"]), self._theta(cell))
        self._impls = key_impls(carry)
        return unwrap_keys(carry)

    def point(self, carry: Carry) -> PyTree:
        """The phase point."""
        return wrap_keys(carry, self._impls).x

    def observe(self, cell: dict[str, Any], carry: Carry, index: jax.Array) -> dict[str, Any]:
        run = self._run
        t = index * run.clock.stride
        return observe(
            run.system, run.probes, wrap_keys(carry, self._impls), t, self._theta(cell), self._noise_key(cell)
        )

    def advance(self, record: PyTree, capacity: int) -> Callable[..., tuple[Carry, PyTree]]:
        """``(cell, carry, first, count) -> (carry, records [capacity, ...])``, of which `count` are filled."""
        run = self._run

        def advance(cell: dict[str, Any], carry: Carry, first: jax.Array, count: jax.Array) -> tuple[Carry, PyTree]:
            theta, noise_key = self._theta(cell), self._noise_key(cell)

            def one(i: jax.Array, state: tuple[Carry, PyTree]) -> tuple[Carry, PyTree]:
                carry, filled = state
                carry, records = block(
                    run.system,
                    run.probes,
                    wrap_keys(carry, self._impls),
                    (first + i) * run.clock.stride,
                    theta,
                    noise_key,
                    stride=run.clock.stride,
                )
                put = lax.dynamic_update_index_in_dim
                return unwrap_keys(carry), jax.tree.map(lambda buffer, new: put(buffer, new, i, 0), filled, records)

            empty = jax.tree.map(lambda leaf: jnp.zeros((capacity, *leaf.shape), leaf.dtype), record)
            return lax.fori_loop(0, count, one, (carry, empty))

        return advance

    def _theta(self, cell: dict[str, Any]) -> dict[str, Any]:
        return {**self._run.grid.constants, **cell["theta"]}

    def _noise_key(self, cell: dict[str, Any]) -> jax.Array:
        key = jax.random.key(self._run.noise.seed)
        return jax.random.fold_in(key, cell["index"]) if self._run.noise.independent else key
