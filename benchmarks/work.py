"""The work of a step, counted from its trace: what no program that computes the same can do without."""

from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

import chaosjax as cj

FUNCTIONS = {"tanh": "tanh", "exp": "exp", "log": "log", "logistic": "logistic"}
ARITHMETIC = {"add", "sub", "mul", "div", "neg", "max", "min", "sqrt", "rsqrt", "integer_pow", "square", "abs", "sign"}
SUMS = {"reduce_sum", "reduce_max", "reduce_min", "cumsum", "argmax"}
ONE_TURN = "while"


def counted(system: cj.System, probes: Mapping[str, cj.Probe], theta: Mapping[str, Any], stride: int = 1) -> dict:
    """Operations, calls of functions and bytes of a step of one cell, its records (one in `stride` steps) included.

    Returns:
        "work": ``"flops float64"`` and ``"tanh float64"``-like counts; "bytes": the data that the step closes over,
        and what it carries, read and written once; "open": a loop without a fixed number of turns counts as one.
    """
    key = jax.random.key(0)
    carry = jax.eval_shape(lambda: cj.start(system, probes, key, theta))

    def advance(carry: Any) -> Any:
        return cj.advance(system, probes, carry, 0, theta, key, blocks=1, stride=stride)

    traced = jax.make_jaxpr(advance)(carry)
    work = _Counting().of(traced)
    state = sum(_bytes(leaf) for leaf in jax.tree.leaves(carry))
    data = sum({id(constant): _bytes(constant) for constant in traced.consts}.values())
    per_step = {name: count / stride for name, count in work.items() if name != ONE_TURN}
    return {"work": per_step, "bytes": data + 2 * state, "open": ONE_TURN in work}


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
    if name == "dot_general":
        contracted, _ = params["dimension_numbers"][0]
        return Counter({flops: 2 * count * prod(first.shape[axis] for axis in contracted)})
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval
        features = kernel.shape[params["dimension_numbers"].rhs_spec[0]]
        return Counter({flops: 2 * count * kernel.size // features})
    if name in FUNCTIONS:
        return Counter({f"{FUNCTIONS[name]} {dtype}": count})
    if name in ARITHMETIC:
        return Counter({flops: count})
    if name in SUMS:
        return Counter({flops: first.size})
    if name in ("qr", "cholesky", "triangular_solve"):
        return Counter({flops: _factorisation(name, equation)})
    return Counter()


def _factorisation(name: str, equation: Any) -> float:
    """The leading terms of the textbooks' counts."""
    *batch, m, n = equation.invars[0].aval.shape
    least = min(m, n)
    if name == "cholesky":
        each = n**3 / 3
    elif name == "triangular_solve":
        *batch, rows, columns = equation.invars[1].aval.shape
        each = m * rows * columns
    else:
        each = 4 * max(m, n) * least**2 - 4 * least**3 / 3  # both factors
    return prod(batch) * each


def _closed(jaxpr: Any) -> ClosedJaxpr:
    return ClosedJaxpr(jaxpr, ()) if isinstance(jaxpr, Jaxpr) else jaxpr


def _bytes(leaf: Any) -> int:
    return leaf.size * getattr(leaf.dtype, "itemsize", 8)
