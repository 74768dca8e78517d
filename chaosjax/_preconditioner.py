"""The literature's units of a preconditioner, and the stability threshold of an optimizer."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import optax

from chaosjax._system import Theta


def _after_momentum(given: dict[str, Any]) -> Any:
    """Adam and its kin: the gradient enters by the share that the mean of gradients takes of it."""
    share = 1 - given["b1"]
    return given["learning_rate"] * (share * (1 + given["b1"]) if given.get("nesterov") else share)


def _before_momentum(given: dict[str, Any]) -> Any:
    ahead = given["momentum"] if given.get("nesterov") and given.get("momentum") is not None else 0.0
    return given["learning_rate"] * (1 + ahead)


UNITS: dict[Callable[..., optax.GradientTransformation], Callable[[dict[str, Any]], Any]] = {
    **dict.fromkeys((optax.adam, optax.adamw, optax.adabelief, optax.amsgrad, optax.yogi), _after_momentum),
    optax.adagrad: lambda given: given["learning_rate"],
    optax.rmsprop: _before_momentum,
}
"""What the gain of an optimizer is a multiple of ``1/P`` by: P is the root of the mean square, of Adagrad's sum."""


def unit_of(optimizer: Any) -> Callable[[Theta], Any | None]:
    """The unit of an optimizer's gain by its control parameters; None where it is not known, or is a schedule."""
    bound: dict[str, Any] = {}
    while isinstance(optimizer, partial):
        names = list(inspect.signature(optimizer.func).parameters)
        bound = {**dict(zip(names, optimizer.args, strict=False)), **optimizer.keywords, **bound}
        optimizer = optimizer.func
    rule = UNITS.get(optimizer) if inspect.isfunction(optimizer) else None
    if rule is None:
        return lambda theta: None
    parameters = inspect.signature(optimizer).parameters.values()
    defaults = {parameter.name: parameter.default for parameter in parameters}

    def unit(theta: Theta) -> Any | None:
        given = defaults | bound | {name: value for name, value in theta.items() if name in defaults}
        return None if callable(given["learning_rate"]) else rule(given)

    return unit
