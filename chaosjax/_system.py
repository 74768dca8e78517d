"""A (random) dynamical system as a record of pure functions, and its phase space as a flat vector."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

Theta = Mapping[str, Any]
"""Control parameters by name: scalars inside a cell of a sweep."""


def no_noise(key: PRNGKeyArray, t: Array) -> None:
    """The noise of a deterministic map."""
    return


def _identity(x: PyTree) -> PyTree:
    return x


class System(NamedTuple):
    """The driven map ``x[t+1] = step(x[t], theta, noise(key, t))``.

    Attributes:
        init: ``(key, theta) -> x``, the first phase point.
        step: ``(x, theta, noise) -> x``, pure; x keeps its structure, shapes and dtypes.
        noise: ``(key, t) -> noise``, counter based (``fold_in(key, t)``), so that every cell, perturbed copy
            and tangent vector sees the same noise at time t and a resumed run sees it again.
        loss: ``(x, theta, noise | None) -> []``; None stands for the full-data loss.
        params: picks the network's parameters out of x (a linear projection: it only selects leaves).
        metrics: named scalars of a phase point, ``(x, theta) -> []``.
        outputs: predictions of a phase point on samples kept for it, ``(x, theta) -> [n, outputs]``.
        theta: the control parameters the system takes, with their defaults; a default of None stands for
            "absent unless an axis gives it". None instead of a mapping: any name goes.
        attrs: plain values that say what the system is; they reach the provenance of every result.
    """

    init: Callable[..., PyTree]
    step: Callable[..., PyTree]
    noise: Callable[..., Any] = no_noise
    loss: Callable[..., Array] | None = None
    params: Callable[[PyTree], PyTree] = _identity
    metrics: Mapping[str, Callable[..., Array]] = {}
    outputs: Callable[..., Float[Array, "n outputs"]] | None = None
    theta: Mapping[str, float | None] | None = None
    attrs: Mapping[str, Any] = {}


def phase(x: PyTree) -> tuple[Float[Array, " d"], Callable[[Float[Array, " d"]], PyTree]]:
    """Coordinates of a phase point: every float leaf of x, raveled.

    Counters, random keys and other leaves that are not floating point are carried, never perturbed: they are
    no coordinates, and the chart puts x's own back.

    Returns:
        ``(u, chart)`` with ``u: [d]`` and ``chart(u) -> x``.
    """
    leaves, treedef = jax.tree.flatten(x)
    is_float = [jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in leaves]
    u, unravel = ravel_pytree([leaf for leaf, real in zip(leaves, is_float, strict=True) if real])

    def chart(u: Float[Array, " d"]) -> PyTree:
        coordinates = iter(unravel(u))
        merged = [next(coordinates) if real else leaf for leaf, real in zip(leaves, is_float, strict=True)]
        return jax.tree.unflatten(treedef, merged)

    return u, chart


def alike(new: PyTree, old: PyTree) -> PyTree:
    """`new` in the dtypes of `old`, as what a loop carries must have."""
    return jax.tree.map(lambda a, b: lax.convert_element_type(a, jnp.result_type(b)), new, old)
