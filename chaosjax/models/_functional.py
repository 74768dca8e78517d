"""Any network as a pair of pure functions."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, PRNGKeyArray, PyTree


class Functional(NamedTuple):
    """A network as pure functions; ``state`` is what it carries beside parameters (running averages, random keys).

    Attributes:
        init: ``key -> (params, state)``.
        apply: ``(params, state, inputs, training) -> (outputs, state)``.
    """

    init: Callable[[PRNGKeyArray], tuple[PyTree, PyTree]]
    apply: Callable[..., tuple[Array, PyTree]]


def functional(model: Any, inputs: Array, outputs: int, dtype: Any) -> Functional:
    """Splits a network into pure functions; its float leaves are cast to `dtype`.

    Args:
        model: a pair with ``init(key, inputs) -> params`` and ``apply(params, inputs) -> outputs`` (a Linen
            module is one, so is any namedtuple of two functions), or a function that builds a Flax NNX module:
            ``(rngs) -> nnx.Module``, which may also take ``in_shape`` (one sample's shape) and ``out_features``.
        inputs: a few samples, for their shape.
        outputs: number of outputs, handed over as ``out_features``.

    Raises:
        TypeError: for anything else.
    """
    if callable(getattr(model, "init", None)) and callable(getattr(model, "apply", None)):
        return _from_pair(model, inputs, dtype)
    if isinstance(model, nnx.Module):
        raise TypeError(
            f"model: {type(model).__name__} is one built NNX module; give a function that builds it, "
            f"`lambda rngs: {type(model).__name__}(..., rngs=rngs)`, so that each seed starts elsewhere"
        )
    if callable(model):
        return _from_nnx(_builder(model, inputs.shape[1:], outputs), dtype)
    raise TypeError(
        f"model: {model!r} has no init and apply functions and is no function that builds an NNX module from rngs"
    )


def _from_pair(model: Any, inputs: Array, dtype: Any) -> Functional:
    def init(key):
        return _cast(model.init(key, inputs[:1]), dtype), ()

    def apply(params, state, inputs, training):
        return model.apply(params, inputs), state

    return Functional(init, apply)


def _from_nnx(build: Callable[[nnx.Rngs], nnx.Module], dtype: Any) -> Functional:
    def split(key):
        module = build(nnx.Rngs(key))
        if not isinstance(module, nnx.Module):
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


def _builder(model: Callable, in_shape: tuple[int, ...], outputs: int) -> Callable[[nnx.Rngs], nnx.Module]:
    known = {"in_shape": in_shape, "out_features": outputs}
    target = model.func if isinstance(model, partial) else model
    # the metaclass of nnx.Module hides a class's own signature
    parameters = inspect.signature(target.__init__ if inspect.isclass(target) else target).parameters
    given = {name: value for name, value in known.items() if name in parameters}
    if "rngs" in parameters:
        return lambda rngs: model(**given, rngs=rngs)
    return lambda rngs: model(rngs, **given)


def _cast(tree: PyTree, dtype: Any) -> PyTree:
    def cast(leaf):
        return leaf.astype(dtype) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree.map(cast, tree)
