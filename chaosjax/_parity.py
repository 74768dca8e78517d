"""Which values of a program are even, and which odd, in the sign of some of its inputs."""

from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var

ZERO, EVEN, ODD, AFFINE, MIXED = "zero", "even", "odd", "affine", "mixed"

_ADDITIVE = {"add", "sub", "add_any", "concatenate", "select_n"}
_PRODUCTS = {"mul", "div", "dot_general"}
_LINEAR = {
    *("neg", "convert_element_type", "copy", "copy_p", "real", "reduce_precision", "reshape", "squeeze", "transpose"),
    *("broadcast_in_dim", "slice", "dynamic_slice", "reduce_sum", "cumsum", "rev", "gather", "stop_gradient"),
}
_ODD_FUNCTIONS = {"tanh", "sin", "tan", "asin", "atan", "sinh", "asinh", "atanh", "erf", "erf_inv", "cbrt"}
_EVEN_FUNCTIONS = {"square", "abs", "is_finite"}
_RESHAPED = {"convert_element_type", "copy", "copy_p", "broadcast_in_dim", "reshape", "squeeze", "stop_gradient"}
_BOUNDED = {"min": "max", "max": "min"}
_BY_COORDINATE = {
    *("add", "sub", "add_any", "select_n", "mul", "div", "integer_pow", "neg", "convert_element_type", "copy"),
    *("copy_p", "real", "reduce_precision", "reshape", "squeeze", "broadcast_in_dim", "min", "max", *_ODD_FUNCTIONS),
}
_CALLS = {"jit", "pjit", "closed_call", "core_call", "remat", "checkpoint", "custom_jvp_call", "custom_vjp_call"}


class Mark(NamedTuple):
    """What is known of a value.

    Attributes:
        parity: of the value when all inputs marked odd change their sign. Affine: an odd value and a constant, added
            or chosen from. Mixed: none of these.
        sources: the odd inputs it depends on through odd values, by number.
        by_coordinate: each of its numbers depends on the one in the same place of those inputs only.
        why: the operation that made it mixed.
        name: of an even value, its sign and what stands for its size, so that a bound and its negative are told.
        half: of an odd value that has met one bound, the operation and the name of the bound.
    """

    parity: str
    sources: frozenset[int] = frozenset()
    by_coordinate: bool = True
    why: str = ""
    name: tuple[int, Any] | None = None
    half: tuple[str, tuple[int, Any]] | None = None


def odd(source: int) -> Mark:
    """The mark of an odd input."""
    return Mark(ODD, frozenset([source]))


def joined(one: Mark, other: Mark) -> Mark:
    """What holds of a value that is marked in one way or in the other."""
    parities = {one.parity, other.parity} - {ZERO}
    several = AFFINE if parities == {ODD, AFFINE} else MIXED
    parity = parities.pop() if len(parities) == 1 else several if parities else ZERO
    sources, by_coordinate = one.sources | other.sources, one.by_coordinate and other.by_coordinate
    return Mark(parity, sources, by_coordinate, one.why or other.why)


def marks_of(program: ClosedJaxpr, marks: Sequence[Mark]) -> list[Mark]:
    """The marks of a program's outputs."""
    return [mark for _, mark in _evaluate(program.jaxpr, program.consts, [(None, mark) for mark in marks], False)]


def frozen(program: ClosedJaxpr, marks: Sequence[Mark]) -> Callable[..., list[Any]]:
    """The same program, but for derivatives: even values count as constants, and so does what multiplies an odd one.

    Of ``m / √ν`` with m odd and ν even, the derivative is that of m alone; so is that of ``m |w − w_0|``, since m
    vanishes at rest.
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
            size = np.asarray(atom.val)
            number = size.ndim == 0 and size.dtype.kind in "fiu" and np.isfinite(size)
            name = (int(np.sign(size)), float(abs(size))) if number else None
            return atom.val, Mark(EVEN, name=name) if np.any(size != 0) else Mark(ZERO)
        return known[atom]

    for equation in _needed(jaxpr):
        operands = [read(atom) for atom in equation.invars]
        inner = _called(equation)
        if inner is not None:
            outputs = _evaluate(inner.jaxpr, inner.consts, operands, run)
        elif equation.primitive.name == "cond" and operands[0][1].parity in (EVEN, ZERO):
            outputs = _chosen(equation, operands, run)
        else:
            mark = _mark(equation, [mark for _, mark in operands])
            held = mark.parity == ODD and equation.primitive.name in _PRODUCTS
            values = [_held(value) if held and mark.parity != ODD else value for value, mark in operands]
            values = _bind(equation, values) if run else [None] * len(equation.outvars)
            constant = run and mark.parity in (EVEN, ZERO)
            outputs = [(lax.stop_gradient(value) if constant else value, mark) for value in values]
        known.update(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _held(value: Any) -> Any:
    return value if value is None else lax.stop_gradient(value)


def _chosen(equation: Any, operands: Sequence[tuple[Any, Mark]], run: bool) -> list[tuple[Any, Mark]]:
    """The outputs of a branch, where all branches make values of the same kind."""
    (index, _), *rest = operands
    branches = [_evaluate(each.jaxpr, each.consts, rest, run) for each in equation.params["branches"]]
    outputs = []
    for results in zip(*branches, strict=True):
        mark = results[0][1]
        for _, other in results[1:]:
            mark = joined(mark, other) if mark.parity == other.parity else Mark(MIXED, why="cond")
        value = lax.select_n(index, *(value for value, _ in results)) if run else None
        outputs.append((_held(value) if mark.parity in (EVEN, ZERO) else value, mark))
    return outputs


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
    bounded = _between(name, operands) if name in _BOUNDED else None
    parity = bounded or _parity(name, equation.params, operands)
    if parity in (ZERO, EVEN):
        return Mark(parity, name=_name(equation, operands) if parity == EVEN else None)
    held = name in _PRODUCTS and parity == ODD and parities.count(ODD) == 1
    followed = [mark if not held or mark.parity == ODD else Mark(EVEN) for mark in operands]
    sources = frozenset[int]().union(*(mark.sources for mark in followed))
    moved = [atom for atom, mark in zip(equation.invars, followed, strict=True) if mark.sources]
    sizes = {prod(atom.aval.shape) for atom in [*moved, *equation.outvars]}
    kept = name in _BY_COORDINATE and len(sizes) == 1
    why = next((mark.why for mark in followed if mark.why), name if parity == MIXED else "")
    half = _half(name, operands) if parity == MIXED else None
    return Mark(parity, sources, kept and all(mark.by_coordinate for mark in followed), why, half=half)


def _name(equation: Any, operands: Sequence[Mark]) -> tuple[int, Any]:
    known = operands[0].name if operands else None
    if known is not None and equation.primitive.name in _RESHAPED:
        return known
    if known is not None and equation.primitive.name == "neg":
        return -known[0], known[1]
    return 1, equation.outvars[0]


def _half(name: str, operands: Sequence[Mark]) -> tuple[str, tuple[int, Any]] | None:
    """Of an odd value and a bound."""
    values, bounds = ([mark for mark in operands if mark.parity == parity] for parity in (ODD, EVEN))
    return (name, bounds[0].name) if name in _BOUNDED and values and bounds and bounds[0].name else None


def _between(name: str, operands: Sequence[Mark]) -> str | None:
    """Odd, if an odd value that has met one bound now meets the negative of it: ``max(−c, min(x, c))``."""
    halves, bounds = [mark for mark in operands if mark.half], [mark for mark in operands if mark.parity == EVEN]
    if not halves or not bounds or bounds[0].name is None or halves[0].half is None:
        return None
    operation, (sign, size) = halves[0].half
    return ODD if operation == _BOUNDED[name] and bounds[0].name == (-sign, size) else None


def _parity(name: str, params: dict[str, Any], operands: Sequence[Mark]) -> str:
    """The parity of an operation's result; zero counts as even and as odd."""
    parities = [mark.parity for mark in operands]
    if name in _PRODUCTS and ZERO in (parities[:1] if name == "div" else parities):
        return ZERO
    if name in _ADDITIVE or name in _LINEAR:
        return _of_sum(name, parities)
    if {*parities} <= {ZERO, EVEN}:
        return EVEN
    if name in _PRODUCTS:
        return _of_product(name, operands)
    if MIXED in parities or AFFINE in parities:
        return MIXED
    if name == "integer_pow":
        return ODD if params["y"] % 2 else EVEN
    if name in _EVEN_FUNCTIONS or (name in ("eq", "ne") and ZERO in parities):
        return EVEN
    return ODD if name in _ODD_FUNCTIONS else MIXED


def _of_sum(name: str, parities: Sequence[str]) -> str:
    first = name in ("dynamic_slice", "gather")
    data, steering = (parities[:1], parities[1:]) if first else (parities, [])
    if name == "select_n":
        data, steering = parities[1:], parities[:1]
    kinds = {*data} - {ZERO}
    if not {*steering} <= {ZERO, EVEN} or MIXED in kinds:
        return MIXED
    return AFFINE if len(kinds) > 1 else kinds.pop() if kinds else ZERO


def _of_product(name: str, operands: Sequence[Mark]) -> str:
    """Two odd factors make an even product. Of one that vanishes at rest, the other is held, but for a sign."""
    parities = [mark.parity for mark in operands]
    rest = [mark for mark in operands if mark.parity in (AFFINE, MIXED)]
    if not rest:
        return ODD if parities.count(ODD) % 2 else EVEN
    over = name == "div" and parities[1] not in (ZERO, EVEN)
    if ODD in parities and not (over and parities[1] == ODD) and all(mark.why != "sign" for mark in rest):
        return ODD
    return AFFINE if len(rest) == 1 and rest[0].parity == AFFINE and ODD not in parities and not over else MIXED
