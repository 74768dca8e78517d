"""Which values of a program are even, and which odd, in the sign of some of its inputs."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

ZERO, EVEN, ODD, MIXED = "zero", "even", "odd", "mixed"

_ADDITIVE = {"add", "sub", "add_any", "concatenate", "select_n"}
_PRODUCTS = {"mul", "div", "dot_general"}
_LINEAR = {
    *("neg", "convert_element_type", "copy", "copy_p", "real", "reduce_precision", "reshape", "squeeze", "transpose"),
    *("broadcast_in_dim", "slice", "dynamic_slice", "reduce_sum", "cumsum", "rev", "gather", "stop_gradient"),
}
_ODD_FUNCTIONS = {"tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "erf", "erf_inv", "cbrt"}
_EVEN_FUNCTIONS = {"square", "abs"}
_BY_COORDINATE = {
    *("add", "sub", "add_any", "select_n", "mul", "div", "integer_pow", "neg", "convert_element_type", "copy"),
    *("copy_p", "real", "reduce_precision", "reshape", "squeeze", "broadcast_in_dim", *_ODD_FUNCTIONS),
}
_CALLS = {"jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call"}


class Mark(NamedTuple):
    """What is known of a value.

    Attributes:
        parity: of the value when all inputs marked odd change their sign.
        sources: the odd inputs it depends on through odd values, by number.
        by_coordinate: each of its numbers depends on the one in the same place of those inputs only.
        why: the operation that made it mixed.
    """

    parity: str
    sources: frozenset[int] = frozenset()
    by_coordinate: bool = True
    why: str = ""


def odd(source: int) -> Mark:
    """The mark of an odd input."""
    return Mark(ODD, frozenset([source]))


def joined(one: Mark, other: Mark) -> Mark:
    """What holds of a value that is marked in one way or in the other."""
    parities = {one.parity, other.parity} - {ZERO}
    parity = parities.pop() if len(parities) == 1 else MIXED if parities else ZERO
    sources, by_coordinate = one.sources | other.sources, one.by_coordinate and other.by_coordinate
    return Mark(parity, sources, by_coordinate, one.why or other.why)


def marks_of(program: ClosedJaxpr, marks: Sequence[Mark]) -> list[Mark]:
    """The marks of a program's outputs."""
    return [mark for _, mark in _evaluate(program.jaxpr, program.consts, [(None, mark) for mark in marks], False)]


def frozen(program: ClosedJaxpr, marks: Sequence[Mark]) -> Callable[..., list[Any]]:
    """The same program, but for derivatives: even values count as constants.

    Of ``m / √ν`` with m odd and ν even, the derivative is that of m alone.
    """

    def run(*values: Any) -> list[Any]:
        inputs = list(zip(values, marks, strict=True))
        return [value for value, _ in _evaluate(program.jaxpr, program.consts, inputs, True)]

    return run


def _evaluate(jaxpr: Jaxpr, consts: Sequence[Any], inputs: Sequence[tuple[Any, Mark]], run: bool) -> list[Any]:
    """Outputs with their marks; without `run` the values are left out."""
    known: dict[Var, tuple[Any, Mark]] = dict(zip(jaxpr.invars, inputs, strict=True))
    known |= {var: (value, Mark(EVEN)) for var, value in zip(jaxpr.constvars, consts, strict=True)}

    def read(atom: Any) -> tuple[Any, Mark]:
        if isinstance(atom, Literal):
            return atom.val, Mark(ZERO if np.all(np.asarray(atom.val) == 0) else EVEN)
        return known[atom]

    for equation in _needed(jaxpr):
        operands = [read(atom) for atom in equation.invars]
        inner = _called(equation)
        if inner is not None:
            outputs = _evaluate(inner.jaxpr, inner.consts, operands, run)
        else:
            mark = _mark(equation, [mark for _, mark in operands])
            values = _bind(equation, [value for value, _ in operands]) if run else [None] * len(equation.outvars)
            constant = run and mark.parity in (EVEN, ZERO)
            outputs = [(lax.stop_gradient(value) if constant else value, mark) for value in values]
        known.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Jaxpr) -> Iterator[Any]:
    """The equations that an output depends on."""
    wanted = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}
    kept = []
    for equation in reversed(jaxpr.eqns):
        if wanted.intersection(equation.outvars):
            kept.append(equation)
            wanted |= {atom for atom in equation.invars if not isinstance(atom, Literal)}
    return reversed(kept)


def _called(equation: Any) -> ClosedJaxpr | None:
    if equation.primitive.name not in _CALLS:
        return None
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(name)
        if inner is not None:
            return inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
    return None


def _bind(equation: Any, values: Sequence[Any]) -> list[Any]:
    bound: Any = equation.primitive.get_bind_params(equation.params)
    functions, params = bound if isinstance(bound, tuple) else ((), bound)  # a pair before jax 0.10
    found = equation.primitive.bind(*functions, *values, **params)
    return list(found) if equation.primitive.multiple_results else [found]


def _mark(equation: Any, operands: Sequence[Mark]) -> Mark:
    name, parities = equation.primitive.name, [mark.parity for mark in operands]
    parity = _parity(name, equation.params, parities)
    if parity in (ZERO, EVEN):
        return Mark(parity)
    sources = frozenset[int]().union(*(mark.sources for mark in operands))
    moved = [atom for atom, mark in zip(equation.invars, operands, strict=True) if mark.sources]
    sizes = {prod(atom.aval.shape) for atom in [*moved, *equation.outvars]}
    kept = name in _BY_COORDINATE and len(sizes) == 1
    why = next((mark.why for mark in operands if mark.why), name if parity == MIXED else "")
    return Mark(parity, sources, kept and all(mark.by_coordinate for mark in operands), why)


def _parity(name: str, params: dict[str, Any], parities: Sequence[str]) -> str:
    """The parity of an operation's result; zero counts as even and as odd."""
    if name in _PRODUCTS and ZERO in (parities[:1] if name == "div" else parities):
        return ZERO
    if name in _ADDITIVE or name in _LINEAR:
        first = name in ("dynamic_slice", "gather")
        data, steering = (parities[:1], parities[1:]) if first else (parities, [])
        if name == "select_n":
            data, steering = parities[1:], parities[:1]
        kinds = set(data) - {ZERO}
        if len(kinds) > 1 or not {*steering} <= {ZERO, EVEN}:
            return MIXED
        return kinds.pop() if kinds else ZERO
    if {*parities} <= {ZERO, EVEN}:
        return EVEN
    if MIXED in parities:
        return MIXED
    if name in _PRODUCTS:
        return ODD if parities.count(ODD) % 2 else EVEN
    if name == "integer_pow":
        return ODD if params["y"] % 2 else EVEN
    if name in _EVEN_FUNCTIONS or (name in ("eq", "ne") and ZERO in parities):
        return EVEN
    return ODD if name in _ODD_FUNCTIONS else MIXED
