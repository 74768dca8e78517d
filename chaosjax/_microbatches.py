"""Sums over samples, a part of them at a time: the gradient of all samples with the memory of a few."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float, PyTree

from chaosjax._checks import check_count

PartialSum = Callable[..., PyTree]
"""A sum over samples, ``(params, *data) -> arrays``; the data's leading axis counts samples."""


def summed_in_parts(loss: Callable[..., Float[Array, ""]], size: int) -> Callable[..., Float[Array, ""]]:
    r"""A sum of losses over samples, ``(params, *data) -> []``, and its gradient, `size` samples at a time.

    .. math:: L(w) = \sum_p L_p(w), \qquad \nabla L(w) = \sum_p \nabla L_p(w)

    Backpropagation through a sum keeps what every sample needs on its way back; here each part is propagated back
    before the next begins. Derivatives of all orders exist, by parameters and not by data; a derivative in forward mode
    costs what the gradient does.
    """

    @jax.custom_jvp
    def total(params: PyTree, *data: Array) -> Float[Array, ""]:
        return _summed(loss, size, params, *data)

    def differentiated(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        params, *data = primals
        value, gradient = _summed(jax.value_and_grad(loss), size, params, *data)
        slopes, directions = jax.tree.leaves(gradient), jax.tree.leaves(tangents[0], is_leaf=_is_zero)
        moving = [(a, b) for a, b in zip(slopes, directions, strict=True) if not _is_zero(b)]
        return value, sum((jnp.vdot(a, b) for a, b in moving), jnp.zeros_like(value))

    total.defjvp(differentiated, symbolic_zeros=True)
    return total


def outputs_in_parts(function: Callable[[Array], Array], size: int | None, inputs: Array) -> Array:
    """A function of samples, `size` of them at a time; all at once for None."""
    return function(inputs) if size is None else lax.map(lambda x: function(x[None])[0], inputs, batch_size=size)


def check_microbatch(size: int, samples: int, mesh: Mesh | None, state: PyTree) -> None:
    """Refuse parts that are none, or that would change what is computed."""
    check_count("microbatch", size, 1, samples, "the number of training samples")
    if mesh is not None:
        raise ValueError("microbatch: of samples that are spread over devices, each takes its share at once; give one")
    if jax.tree.leaves(state):
        raise ValueError(
            "microbatch: this network carries a state, such as batch statistics, that depends on all samples of a "
            "step; leave microbatch out"
        )


def _summed(function: PartialSum, size: int, params: PyTree, *data: Array) -> PyTree:
    whole = len(data[0]) // size
    parts = [array[: whole * size].reshape(whole, size, *array.shape[1:]) for array in data]
    like = jax.eval_shape(function, params, *(part[0] for part in parts))

    @jax.checkpoint  # a linearization would keep what all parts leave behind
    def add(total: PyTree, part: list[Array]) -> tuple[PyTree, None]:
        return jax.tree.map(jnp.add, total, function(params, *part)), None

    total, _ = lax.scan(add, jax.tree.map(jnp.zeros_like, like), parts)
    rest = [array[whole * size :] for array in data]
    return add(total, rest)[0] if len(rest[0]) else total


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, jax.custom_derivatives.SymbolicZero)
