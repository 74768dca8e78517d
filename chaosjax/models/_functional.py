"""Any network as a pair of pure functions."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from flax import linen, nnx
from flax.errors import InvalidRngError
from jaxtyping import Array, Float, PRNGKeyArray, PyTree


@runtime_checkable
class Init(Protocol):
    """Draws a network's parameters and its other state."""

    def __call__(self, key: PRNGKeyArray) -> tuple[PyTree, PyTree]: ...


@runtime_checkable
class Apply(Protocol):
    """A network's outputs, and its state afterwards; `training` tells training from evaluation."""

    def __call__(
        self, params: PyTree, state: PyTree, inputs: Float[Array, "n ..."], training: bool
    ) -> tuple[Float[Array, "n outputs"], PyTree]: ...


class Functional(NamedTuple):
    """A network as pure functions; ``state`` is what it carries beside parameters (running averages, random keys).

    Attributes:
        init: ``key -> (params, state)``.
        apply: ``(params, state, inputs, training) -> (outputs, state)``.
    """

    init: Init
    apply: Apply


def functional(model: Any, inputs: Float[Array, "n ..."], outputs: int, dtype: Any) -> Functional:
    """Split a network into pure functions; its float leaves are cast to `dtype`.

    Args:
        model: a function that builds a Flax NNX module, ``(rngs) -> nnx.Module``, which may also take ``in_shape`` (one
            sample's shape) and ``out_features``; or a Linen module, whose collections beside "params" and random key
            are state, and whose argument `train`, `training`, `is_training`, `deterministic` or `use_running_average`
            is set; or a tuple ``(init, apply)``, or anything with two such functions: ``init(key, inputs) -> params``
            and ``apply(params, inputs) -> outputs``.
        inputs: a few samples, for their shape.
        outputs: number of outputs, handed over as ``out_features``.

    Raises:
        TypeError: a model of another kind, with what to do about it.
    """
    _check_unbuilt(model)
    if isinstance(model, linen.Module):
        return _from_linen(model, inputs[:1], dtype)
    is_pair = isinstance(model, tuple) and len(model) == 2
    pair: Any = model if is_pair else [getattr(model, name, None) for name in ("init", "apply")]
    if all(map(callable, pair)):
        return _from_pair(pair[0], pair[1], inputs[:1], dtype)
    if callable(model):
        return _from_nnx(_builder(model, inputs.shape[1:], outputs), dtype)
    raise TypeError(
        f"model: {model!r} has no init and apply functions and is no function that builds an NNX module from rngs"
    )


def _check_unbuilt(model: Any) -> None:
    kind = model if inspect.isclass(model) else type(model)
    if isinstance(model, nnx.Module):
        raise TypeError(
            f"model: {kind.__name__} is one built NNX module; give a function that builds it, "
            f"`lambda rngs: {kind.__name__}(..., rngs=rngs)`, so that each seed starts elsewhere"
        )
    if inspect.isclass(model) and issubclass(model, linen.Module):
        raise TypeError(f"model: {kind.__name__} is a class of Linen modules; give an instance, {kind.__name__}(...)")
    if any(base.__module__.split(".")[0] == "equinox" for base in kind.__mro__):
        raise TypeError(
            f"model: {kind.__name__} is an Equinox module; give a pair (init, apply) of functions:\n"
            "(lambda key, x: eqx.filter(make(key), eqx.is_inexact_array), "
            "lambda params, x: jax.vmap(eqx.combine(params, static))(x)) "
            "with static = eqx.partition(make(key), eqx.is_inexact_array)[1]"
        )


def _from_pair(
    start: Callable[[PRNGKeyArray, Array], PyTree],
    evaluate: Callable[[PyTree, Array], Array],
    inputs: Float[Array, "1 ..."],
    dtype: Any,
) -> Functional:
    def init(key):
        return _cast(start(key, inputs), dtype), ()

    def apply(params, state, inputs, training):
        return evaluate(params, inputs), state

    return Functional(init, apply)


SWITCHES = {"train": True, "training": True, "is_training": True, "deterministic": False, "use_running_average": False}
"""Arguments by which a Linen module is told that it is in training, with their value then."""


def _from_linen(model: linen.Module, inputs: Float[Array, "1 ..."], dtype: Any) -> Functional:
    names = inspect.signature(type(model).__call__).parameters

    def switches(training: bool) -> dict[str, Any]:
        return {name: value == training for name, value in SWITCHES.items() if name in names}

    def start(key):
        variables = _cast(dict(model.init(key, inputs, **switches(False))), dtype)
        return variables.pop("params", {}), variables

    def evaluate(params, state, inputs, training, key=None):
        variables, options = {"params": params, **state}, switches(training)
        outputs, after = model.apply(variables, inputs, rngs=key, mutable=list(state), **options)
        return outputs, {**state, **after} if training else state

    def init_drawing(key):
        params, collections = start(key)
        return params, (collections, jax.random.fold_in(key, 1))

    def apply_drawing(params, state, inputs, training):
        collections, drawn = state
        outputs, collections = evaluate(params, collections, inputs, training, drawn)
        return outputs, (collections, jax.random.fold_in(drawn, 0)) if training else state

    try:
        jax.eval_shape(lambda key: evaluate(*start(key), inputs, True), jax.random.key(0))
    except InvalidRngError:  # it draws random numbers (dropout): a key is part of its state
        return Functional(init_drawing, apply_drawing)
    return Functional(start, evaluate)


def _from_nnx(build: Callable[[nnx.Rngs], nnx.Module], dtype: Any) -> Functional:
    def split(key):
        try:
            module = build(nnx.Rngs(key))
        except TypeError as error:
            if "Rngs" not in str(error):
                raise
            raise TypeError(
                "model: the function got an nnx.Rngs, as one that builds an NNX module does, and wants a key; give a "
                f"pair (init, apply) of functions, init(key, inputs) and apply(params, inputs) ({error})"
            ) from error
        if not isinstance(module, nnx.Module):
            _check_unbuilt(module)
            raise TypeError(f"model: the builder returned {type(module).__name__}, not an nnx.Module")
        return nnx.split(module, nnx.Param, ...)

    graph, param_spec, state_spec = nnx.eval_shape(split, jax.random.key(0))

    def restore(spec: nnx.State, values: PyTree) -> nnx.State:
        return jax.tree.unflatten(jax.tree.structure(spec), jax.tree.leaves(values))

    def init(key):
        _, params, state = split(key)
        return _cast(nnx.to_pure_dict(params), dtype), _cast(nnx.to_pure_dict(state), dtype)

    def apply(params, state, inputs, training):
        module = nnx.merge(graph, restore(param_spec, params), restore(state_spec, state))
        module.train() if training else module.eval()
        outputs = module(inputs)
        return outputs, nnx.to_pure_dict(nnx.state(module, nnx.Not(nnx.Param)))

    return Functional(init, apply)


def _builder(model: Callable[..., Any], in_shape: tuple[int, ...], outputs: int) -> Callable[[nnx.Rngs], nnx.Module]:
    known = {"in_shape": in_shape, "out_features": outputs}
    target = model.func if isinstance(model, partial) else model
    # the metaclass of nnx.Module hides a class's own signature
    parameters = inspect.signature(target.__init__ if inspect.isclass(target) else target).parameters
    given = {name: value for name, value in known.items() if name in parameters}
    if "rngs" in parameters:
        return lambda rngs: model(**given, rngs=rngs)
    needed = [name for name, each in parameters.items() if each.default is each.empty and name not in known]
    if inspect.isfunction(model) and len(needed) != 1:
        raise TypeError(
            f"model: {model.__name__}({', '.join(parameters)}) builds no NNX module from rngs; if it is a network's "
            "outputs from its parameters, give a pair (init, apply)"
        )
    return lambda rngs: model(rngs, **given)


def _cast(tree: PyTree, dtype: Any) -> PyTree:
    def cast(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
