"""An optimizer as the training map uses it: rebuilt at every step from its control parameters, or made of constants."""

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import CellType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from chaosjax._description import describe
from chaosjax._system import Theta


@runtime_checkable
class OptimizerFactory(Protocol):
    """Makes a gradient transformation of control parameters: numbers of shape ``[]``, traced, given by name."""

    def __call__(self, *args: Any, **theta: Any) -> optax.GradientTransformation: ...


Optimizer = OptimizerFactory | optax.GradientTransformation
"""What `training` takes: a factory, or one transformation with its constants."""


class Rule(NamedTuple):
    """What the training map needs of an optimizer.

    Attributes:
        words: the optimizer in words that are the same in every process.
        theta: the control parameters it takes, each without a default of its own; None: any name goes.
        init: ``(params, theta) -> state``.
        update: ``(gradient, state, params, theta, extras) -> (updates, state)``; of `extras`, what a
            `GradientTransformationExtraArgs` may ask for by name, it takes what it names.
    """

    words: str
    theta: Mapping[str, None] | None
    init: Callable[[PyTree, Theta], PyTree]
    update: Callable[[PyTree, PyTree, PyTree, Theta, Mapping[str, Any]], tuple[PyTree, PyTree]]


def optimizer_rule(optimizer: Any) -> Rule:
    """Return the rule of a factory of control parameters, or of one transformation with its constants.

    The control parameter ``learning_rate`` of a transformation exists to be refused with the remedy.

    Raises:
        TypeError: for what is neither of both.
    """
    constant = hasattr(optimizer, "update")
    if not (constant or callable(optimizer)):
        raise TypeError(f"optimizer={optimizer!r} is no optimizer; give a factory, e.g. optax.sgd, or optax.sgd(0.1)")
    words = _words(optimizer) if constant else describe(optimizer)
    names = {"learning_rate": None} if constant else _arguments(optimizer)

    def given(theta: Theta) -> Theta:
        return theta if names is None else {name: theta[name] for name in names if name in theta}

    def make(theta: Theta) -> Any:
        if constant and given(theta):
            raise ValueError(
                f"optimizer {words} is a transformation with its constants and takes no learning_rate: pass the "
                "factory instead, e.g. optax.sgd in place of optax.sgd(0.1)"
            )
        made: Any = optimizer if constant else optimizer(**given(theta))
        return _with_slow(made) if getattr(made.init, "__module__", None) == optax.lookahead.__module__ else made

    def init(params: PyTree, theta: Theta) -> PyTree:
        with _explained(optimizer, words, given(theta)):
            state = make(theta).init(params)
        _check_state(words, state)
        return state

    def update(gradient: PyTree, state: PyTree, params: PyTree, theta: Theta, extras: Mapping[str, Any]):
        with _explained(optimizer, words, given(theta), extras):
            made = make(theta)
            updates, after = made.update(gradient, state, params, **_wanted(words, made.update, extras))
        if jax.tree.structure(after) != jax.tree.structure(state):
            raise ValueError(
                f"optimizer {words}: its state changes structure at the first step; leave out the part that does so "
                "(optax.monitor is one), and measure with a probe"
            )
        return updates, after

    return Rule(words, names, init, update)


class _Lookahead(NamedTuple):
    """The state of `optax.lookahead`, and its slow parameters."""

    inner: optax.LookaheadState
    slow: PyTree


def _with_slow(lookahead: Any) -> optax.GradientTransformation:
    """`optax.lookahead` on the fast parameters alone: the slow ones are kept in the optimizer's state."""

    def init(params: PyTree) -> _Lookahead:
        return _Lookahead(lookahead.init(optax.LookaheadParams(params, params)), params)

    def update(updates: PyTree, state: Any, params: PyTree = None) -> tuple[PyTree, _Lookahead]:
        updates, inner = lookahead.update(updates, state.inner, optax.LookaheadParams(params, state.slow))
        return updates.fast, _Lookahead(inner, optax.apply_updates(state.slow, updates.slow))

    return optax.GradientTransformation(init, update)


def _arguments(optimizer: Callable) -> dict[str, None] | None:
    """Names an optimizer factory can be called with; None where any name goes."""
    parameters = inspect.signature(optimizer).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return None
    return {parameter.name: None for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL}


def _wanted(words: str, update: Callable, extras: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of the extra arguments that an update takes."""
    parameters = inspect.signature(update).parameters
    absent = [
        name
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty and name not in extras
    ]
    if absent:
        raise ValueError(
            f"optimizer {words}: its update needs {', '.join(absent)}, a training step offers {', '.join(extras)}; "
            "wrap it in a GradientTransformationExtraArgs that makes the one from the others"
        )
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return extras
    return {name: value for name, value in extras.items() if name in parameters}


def _check_state(words: str, state: PyTree) -> None:
    """Refuse transformations that mean something else by gradient or parameters than a training step."""
    remedies = {
        optax.LookaheadState: "lookahead must be outermost: optax.lookahead(optax.chain(…), …)",
        optax.contrib.DifferentiallyPrivateAggregateState: (
            "it takes the gradient of each sample, a training step has that of their mean; take "
            "optax.chain(optax.clip_by_global_norm(…), optax.add_noise(…), optax.sgd(…)) for clipped, noisy steps"
        ),
    }
    inside = state.inner.fast_state if isinstance(state, _Lookahead) else state
    for part in jax.tree.leaves(inside, is_leaf=lambda part: type(part) in remedies):
        if type(part) in remedies:
            raise ValueError(f"optimizer {words}: {remedies[type(part)]}")


@contextmanager
def _explained(optimizer: Any, words: str, given: Theta, extras: Iterable[str] = ()) -> Iterator[None]:
    """Turn what an optimizer says of the arguments it is given into what to do about it."""
    try:
        yield
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        raise ValueError(_of_traced(words, given, error)) from error
    except TypeError as error:
        if extras and re.search(r"update\w*\(\) .*argument", str(error)):
            raise ValueError(
                f"optimizer {words}: {error}; every part of a chain gets {', '.join(extras)}, and nothing else: put a "
                "part that cannot take them outermost"
            ) from error
        missing = [] if hasattr(optimizer, "update") else _missing(optimizer, given)
        if not missing:
            raise
        raise ValueError(
            f"optimizer {words} needs a value of {', '.join(missing)}: give it in axes={{'{missing[0]}': [0.1]}} of a "
            f"sweep, in theta={{'{missing[0]}': 0.1}} of a question, or bind it with functools.partial"
        ) from error


def _missing(optimizer: Callable, given: Theta) -> list[str]:
    """Arguments of a factory that have no value."""
    return [
        parameter.name
        for parameter in inspect.signature(optimizer).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and parameter.name not in given
    ]


def _of_traced(words: str, given: Theta, error: Exception) -> str:
    """What to do about a Python decision on a traced number: by the schedule, or else the function, it happens in."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    modules = [frame.f_globals.get("__name__", "") for frame in frames]
    names = [frame.f_code.co_qualname for frame in frames]
    rate = "learning_rate" if "learning_rate" in given or not given else next(iter(given))
    for module, name in zip(modules, names, strict=True):
        if module in ("optax.schedules._schedule", "optax.schedules._join"):
            schedule = name.split(".")[0]
            return (
                f"optimizer {words}: optax.{schedule} cannot be made of traced numbers ({', '.join(given)}): make "
                f"unit = optax.{schedule}(…) of constants with peak 1, and scale it, lambda count: {rate} * unit(count)"
            )
    where = [name for module, name in zip(modules, names, strict=True) if module.split(".")[0] not in ("jax", "jaxlib")]
    remedy = f", or bind one of {', '.join(given)} with functools.partial and run its values as a Hydra multirun"
    return (
        f"optimizer {words}: {where[-1]} decides in Python (if, int, range) by a traced number: decide there with "
        f"jnp.where{remedy if given else ''}"
    )


def _words(thing: Any, depth: int = 0) -> str:
    """A transformation in words: it is made of closures; these are the functions they come from and what they hold."""
    if isinstance(thing, tuple) and not isinstance(thing, optax.GradientTransformation):
        return f"({', '.join(_words(part, depth) for part in thing)})"
    if isinstance(thing, Mapping):
        return f"({', '.join(f'{name}={_words(part, depth)}' for name, part in thing.items())})"
    if isinstance(thing, jax.Array):
        is_key = jnp.issubdtype(thing.dtype, jax.dtypes.prng_key)
        return str((jax.random.key_data(thing) if is_key else thing).tolist())
    function: Any = getattr(thing, "update", thing)
    cells = getattr(function, "__closure__", None)
    if not cells or depth > 9:
        return describe(function).replace(".<locals>", "")
    names = function.__code__.co_freevars
    held = {name: cell.cell_contents for name, cell in zip(names, cells, strict=True) if cell != CellType()}
    if held.keys() == {"tx"}:  # only wraps
        return _words(held["tx"], depth)
    told = ", ".join(f"{name}={_words(value, depth + 1)}" for name, value in held.items())
    return f"{function.__qualname__.split('.')[0]}({told})"
