"""The work of a step, counted from its trace: what no program that computes the same can do without."""

import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from machine import cores
from xarray import Dataset

import chaosjax as cj

FUNCTIONS = {"tanh": "tanh", "exp": "exp", "log": "log", "logistic": "logistic"}
ARITHMETIC = {"add", "sub", "mul", "div", "neg", "max", "min", "sqrt", "rsqrt", "integer_pow", "square", "abs", "sign"}
SUMS = {"reduce_sum", "reduce_max", "reduce_min", "cumsum", "argmax"}
KERNELS = ("dot_general", "conv_general_dilated", "qr", "cholesky", "triangular_solve")
ONE_TURN = "while"
SECONDS, REPEATS = 0.03, 3


class Kernel(NamedTuple):
    """A call of a library's routine, of these shapes."""

    primitive: Any
    shapes: tuple[jax.ShapeDtypeStruct, ...]
    params: tuple[tuple[str, Any], ...]


def counted(
    system: cj.System,
    probes: Mapping[str, cj.Probe],
    theta: Mapping[str, Any],
    stride: int = 1,
    cells: int = 1,
    at_once: int = 1,
) -> dict:
    """Operations, calls of functions and bytes of a step of one cell, its records (one in `stride` steps) included.

    Args:
        cells: per batch, for the shapes of its products.
        at_once: batches that run side by side.

    Returns:
        "work": ``"flops float64"`` and ``"tanh float64"``-like counts; "bytes": the data that the step closes over,
        and what it carries, read and written once; "open": a loop without a fixed number of turns counts as one;
        "kernels": seconds that the products and factorisations take one after the other, each alone as XLA has it, and
        "in kernels": their part of the operations.
    """
    key = jax.random.key(0)
    carry = jax.eval_shape(lambda: cj.start(system, probes, key, theta))

    def advance(carry: Any) -> Any:
        return cj.advance(system, probes, carry, 0, theta, key, blocks=1, stride=stride)

    traced = jax.make_jaxpr(advance)(carry)
    work = _Counting().of(traced)
    state = sum(_bytes(leaf) for leaf in jax.tree.leaves(carry))
    data = sum({id(constant): _bytes(constant) for constant in traced.consts}.values())
    per_step = {name: count / stride for name, count in work.items() if isinstance(name, str) and name != ONE_TURN}
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((cells, *leaf.shape), leaf.dtype), carry)
    kernels = _Counting().of(jax.make_jaxpr(jax.vmap(advance))(batch)) if cells > 1 else work
    kernels = {kernel: count for kernel, count in kernels.items() if isinstance(kernel, Kernel)}
    seconds = sum(count * _alone(kernel, at_once) for kernel, count in kernels.items()) / (cells * stride)
    inside: Counter = Counter()
    for kernel, count in work.items():
        if isinstance(kernel, Kernel):
            inside.update({name: count * each / stride for name, each in _kernel_work(kernel).items()})
    return {
        "work": per_step,
        "bytes": data + 2 * state,
        "open": ONE_TURN in work,
        "kernels": seconds,
        "in kernels": dict(inside),
    }


def layout_of(found: Dataset, threads: int | None = None) -> dict:
    """How a sweep laid its cells out: cells per batch, and batches side by side."""
    cells = found["alive"].isel(time=0).size
    per_batch = int(cj.provenance_of(found)["identity"]["cells_per_batch"])
    at_once = min(threads or cores(), -(-cells // per_batch))
    return {"cells": per_batch, "at_once": at_once}


def per_member(found: Mapping[str, Any], members: int) -> dict:
    """The work of a cell as that of each of its members."""
    shares = {name: {kind: n / members for kind, n in found[name].items()} for name in ("work", "in kernels")}
    return {**found, **shares, "kernels": found["kernels"] / members}


def _alone(kernel: Kernel, at_once: int) -> float:
    """Seconds of a routine in a loop of its own, of so many of them at a time; they share the time."""
    rng = np.random.default_rng(0)
    least = min(range(len(kernel.shapes)), key=lambda i: kernel.shapes[i].size)

    def repeated(turns: int, arrays: list[Any]) -> Any:
        def turn(_: Any, moving: Any) -> Any:
            given = [moving if i == least else array for i, array in enumerate(arrays)]
            found = jax.lax.optimization_barrier(kernel.primitive.bind(*given, **dict(kernel.params)))
            first = jax.tree.leaves(found)[0]
            return moving.at[(0,) * moving.ndim].set(jnp.where(first[(0,) * first.ndim] > 0, 1.0, 2.0))

        return jax.lax.fori_loop(0, turns, turn, arrays[least])

    devices = jax.local_devices()
    sides = [
        [jax.device_put(rng.normal(size=s.shape).astype(s.dtype), devices[i % len(devices)]) for s in kernel.shapes]
        for i in range(at_once)
    ]
    run = jax.jit(repeated)

    with ThreadPoolExecutor(at_once) as pool:

        def once(turns: int) -> float:
            begun = time.perf_counter()
            list(pool.map(lambda side: jax.block_until_ready(run(turns, side)), sides))
            return time.perf_counter() - begun

        once(1)
        turns = 1
        while (took := once(turns)) < SECONDS:
            turns = max(2 * turns, round(turns * SECONDS / took))
        return min(took, *(once(turns) for _ in range(REPEATS))) / (turns * at_once)


class _Counting:
    """Counts each value once, as a compiler computes it, and none that nothing needs."""

    def __init__(self) -> None:
        self._nodes: list[tuple[list[Any], list[Any], Counter]] = []
        self._known: dict[Any, list[Any]] = {}

    def of(self, closed: ClosedJaxpr) -> Counter:
        needed = set(self._visit(closed, [object() for _ in closed.jaxpr.invars]))
        total: Counter = Counter()
        for inputs, outputs, work in reversed(self._nodes):
            if needed.intersection(outputs):
                needed.update(inputs)
                total.update(work)
        return total

    def _visit(self, closed: ClosedJaxpr, arguments: list[Any]) -> list[Any]:
        """The names of the results, for names of the arguments."""
        names: dict[Any, Any] = dict(zip(closed.jaxpr.invars, arguments, strict=True))
        names.update(zip(closed.jaxpr.constvars, map(id, closed.consts), strict=True))

        def name(variable: Any) -> Any:
            return ("literal", str(variable)) if isinstance(variable, Literal) else names[variable]

        for equation in closed.jaxpr.eqns:
            inputs = [name(variable) for variable in equation.invars]
            inner = next((part for part in equation.params.values() if isinstance(part, Jaxpr | ClosedJaxpr)), None)
            if inner is not None and equation.primitive.name not in ("scan", "while", "cond"):
                outputs = self._visit(_closed(inner), inputs[-len(_closed(inner).jaxpr.invars) :])
            else:
                key = equation.primitive.name, tuple(inputs), str(equation.params)
                if key not in self._known:
                    self._known[key] = [object() for _ in equation.outvars]
                    self._nodes.append((inputs, self._known[key], _work(equation)))
                outputs = self._known[key]
            names.update(zip(equation.outvars, outputs, strict=True))
        return [name(variable) for variable in closed.jaxpr.outvars]


def _work(equation: Any) -> Counter:
    """Of one equation; of a branch the lesser."""
    name, params = equation.primitive.name, equation.params
    if name == "scan":
        turns = params["length"]
        return Counter({kind: turns * count for kind, count in _Counting().of(params["jaxpr"]).items()})
    if name == "while":
        return _Counting().of(params["body_jaxpr"]) + Counter({ONE_TURN: 1})
    if name == "cond":
        return min((_Counting().of(branch) for branch in params["branches"]), key=lambda work: sum(work.values()))
    shape = equation.outvars[0].aval
    dtype = getattr(shape, "dtype", None)
    if dtype is None or not jax.numpy.issubdtype(dtype, np.floating):
        return Counter()
    count, flops = shape.size, f"flops {dtype}"
    first = equation.invars[0].aval
    if name in KERNELS:
        shapes = tuple(jax.ShapeDtypeStruct(each.aval.shape, each.aval.dtype) for each in equation.invars)
        kernel = Kernel(equation.primitive, shapes, tuple(params.items()))
        return _kernel_work(kernel) + Counter({kernel: 1})
    if name in FUNCTIONS:
        return Counter({f"{FUNCTIONS[name]} {dtype}": count})
    if name in ARITHMETIC:
        return Counter({flops: count})
    if name in SUMS:
        return Counter({flops: first.size})
    return Counter()


def _kernel_work(kernel: Kernel) -> Counter:
    """Operations of a product; of a factorisation the leading terms of the textbooks' counts."""
    name, params, shapes = kernel.primitive.name, dict(kernel.params), [each.shape for each in kernel.shapes]
    flops = f"flops {kernel.shapes[0].dtype}"
    if name == "dot_general":
        (_, right), (_, shared) = params["dimension_numbers"]
        free = prod(n for axis, n in enumerate(shapes[1]) if axis not in (*right, *shared))
        return Counter({flops: 2 * prod(shapes[0]) * free})
    if name == "conv_general_dilated":
        out = jax.eval_shape(lambda *given: kernel.primitive.bind(*given, **params), *kernel.shapes)
        return Counter({flops: 2 * out.size * prod(shapes[1]) // shapes[1][params["dimension_numbers"].rhs_spec[0]]})
    *batch, m, n = shapes[0]
    least = min(m, n)
    if name == "cholesky":
        each = n**3 / 3
    elif name == "triangular_solve":
        *batch, rows, columns = shapes[1]
        each = m * rows * columns
    else:
        each = 4 * max(m, n) * least**2 - 4 * least**3 / 3  # both factors
    return Counter({flops: prod(batch) * each})


def _closed(jaxpr: Any) -> ClosedJaxpr:
    return ClosedJaxpr(jaxpr, ()) if isinstance(jaxpr, Jaxpr) else jaxpr


def _bytes(leaf: Any) -> int:
    return leaf.size * getattr(leaf.dtype, "itemsize", 8)
