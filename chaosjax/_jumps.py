"""Steps that are not differentiable: derivatives that automatic differentiation takes to be 0."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var
from jaxtyping import Array, Float, PyTree

_JUMPING = ("argmax", "argmin", "sign", "round")


@runtime_checkable
class OfCoordinates(Protocol):
    """A function of the phase point's coordinates."""

    def __call__(self, u: Float[Array, " d"], /) -> PyTree: ...


def jumps(function: OfCoordinates, u: Float[Array, " d"]) -> tuple[str, ...]:
    """Find the operations on u that jump between constants: argmax, argmin, sign, round, conversions to integers.

    Their derivative is 0 wherever it exists, so a tangent map does not see them. Comparisons (ReLU, clipping,
    the tent map) and remainders (maps of the circle) are not among them: between their jumps the derivative is right.

    Args:
        function: of the phase point's coordinates.
        u: coordinates ``[d]``; only their shape and dtype count.

    Returns:
        The names of the operations, each once; () if there are none.
    """
    traced = jax.make_jaxpr(function)(u)
    found: list[str] = []
    _follow(traced.jaxpr, [True] * len(traced.jaxpr.invars), found)
    return tuple(dict.fromkeys(found))


def require_differentiable(function: OfCoordinates, u: Float[Array, " d"]) -> None:
    """Refuse a step that jumps.

    Raises:
        ValueError: naming the operations.
    """
    found = jumps(function, u)
    if found:
        raise ValueError(
            f"the step is not differentiable: {', '.join(found)} of the phase point, whose derivative counts as 0, so "
            "the tangent would miss it. Use ensemble or benettin, or pass piecewise=True where jumps do not matter"
        )


def _follow(jaxpr: Jaxpr, depends: Sequence[bool], found: list[str]) -> list[bool]:
    """Tell which outputs depend on the inputs that do, and put operations on the way that jump into `found`."""
    known: dict[Var, bool] = dict(zip(jaxpr.invars, depends, strict=True))

    def of(atom: Any) -> bool:
        return not isinstance(atom, Literal) and known.get(atom, False)

    for equation in jaxpr.eqns:
        inputs = [of(atom) for atom in equation.invars]
        outputs = [any(inputs)] * len(equation.outvars)
        if any(inputs):
            if equation.primitive.name in _JUMPING or _to_integer(equation):
                found.append(_name(equation))
                outputs = [False] * len(outputs)
            for inner in _inner(equation.params):
                matched = inputs if len(inner.invars) == len(inputs) else [True] * len(inner.invars)
                _follow(inner, matched, found)
        known.update(zip(equation.outvars, outputs, strict=True))
    return [of(atom) for atom in jaxpr.outvars]


def _to_integer(equation: Any) -> bool:
    if equation.primitive.name != "convert_element_type":
        return False
    before, after = equation.invars[0].aval.dtype, equation.params["new_dtype"]
    return jnp.issubdtype(before, jnp.floating) and jnp.issubdtype(after, jnp.integer)


def _name(equation: Any) -> str:
    return "conversion to an integer" if equation.primitive.name == "convert_element_type" else equation.primitive.name


def _inner(params: dict[str, Any]) -> list[Jaxpr]:
    """The programs inside an operation, such as a loop, a branch or a nested call, without derivative rules."""
    found = []
    for value in params.values():
        for part in value if isinstance(value, tuple | list) else [value]:
            if isinstance(part, ClosedJaxpr):
                found.append(part.jaxpr)
            elif isinstance(part, Jaxpr):
                found.append(part)
    return found
