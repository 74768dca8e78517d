"""A (random) dynamical system as a record of pure functions, and its phase space as a flat vector."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._checks import arrays_only, blamed
from chaosjax._fit import Fit

Theta = Mapping[str, Any]
"""Control parameters by name: scalars inside a cell of a sweep."""


@runtime_checkable
class FirstPoint(Protocol):
    """Makes the first phase point."""

    def __call__(self, key: PRNGKeyArray, theta: Theta, /) -> PyTree: ...


@runtime_checkable
class Step(Protocol):
    """The map: one step of a phase point under one noise."""

    def __call__(self, x: PyTree, theta: Theta, noise: Any, /) -> PyTree: ...


@runtime_checkable
class Noise(Protocol):
    """Draws the noise of the step from t."""

    def __call__(self, key: PRNGKeyArray, t: Int[Array, ""], /) -> Any: ...


@runtime_checkable
class Loss(Protocol):
    """The loss at a phase point, over the samples of a noise or, for None, over all."""

    def __call__(self, x: PyTree, theta: Theta, noise: Any, /) -> Float[Array, ""]: ...


@runtime_checkable
class Reading(Protocol):
    """An array read off a phase point."""

    def __call__(self, x: PyTree, theta: Theta, /) -> Array: ...


class Descent(NamedTuple):
    """How a step answers a gradient: what the step of a training does with the gradient of its loss.

    Attributes:
        state: picks the optimizer's state out of a phase point.
        step: ``(params, gradient, state, x, theta, noise) -> (params, state)``.
        unit: ``theta -> number``, by which a step's answer is divided to be the inverse of the preconditioner as the
            literature has it; None where that is not known.
    """

    state: Callable[[PyTree], PyTree]
    step: Callable[[PyTree, PyTree, PyTree, PyTree, Theta, Any], tuple[PyTree, PyTree]]
    unit: Callable[[Theta], Any | None]


def no_noise(key: PRNGKeyArray, t: Int[Array, ""]) -> None:
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
        descent: how a step answers a gradient, for instruments of the optimizer; None: they refuse the system.
        theta: the control parameters the system takes, with their defaults; a default of None stands for
            "absent unless an axis gives it". None instead of a mapping: any name goes.
        attrs: plain values that say what the system is; they reach the provenance of every result.
        fit: the loss as a mean over training samples, for Gauss–Newton and Fisher matrices.
        mesh: the devices over which the samples are spread, which compute a step together; None: one computes it.
        microbatch: samples that a step takes at a time; None: all of them. Tangent vectors then go through the parts
            beside the step; a linearization would keep what all of them leave behind.
    """

    init: FirstPoint
    step: Step
    noise: Noise = no_noise
    loss: Loss | None = None
    params: Callable[[PyTree], PyTree] = _identity
    metrics: Mapping[str, Reading] = {}
    outputs: Reading | None = None
    descent: Descent | None = None
    theta: Mapping[str, float | None] | None = None
    attrs: Mapping[str, Any] = {}
    fit: Fit | None = None
    mesh: Mesh | None = None
    microbatch: int | None = None

    def __repr__(self) -> str:
        theta = "any" if self.theta is None else ", ".join(self.theta)
        told = ", ".join(f"{name}={value}" for name, value in self.attrs.items() if isinstance(value, str))
        return f"System({told + '; ' if told else ''}theta: {theta})"


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


def traced_once(system: System) -> System:
    """The system with a step that is traced once for all that ask for it; inlined, it leaves no call in a program.

    Made anew for every run: JAX remembers traces by the function, and what a function closes over may have changed.
    Plain numbers in theta stay plain, so that a step may decide by them.
    """

    @partial(jax.jit, static_argnums=3, inline=True)
    def step(x: PyTree, traced: Theta, noise: Any, plain: tuple[tuple[str, type, Any], ...]) -> PyTree:
        with blamed("the system's step"):
            image = system.step(x, {**traced, **{name: value for name, _, value in plain}}, noise)
            return arrays_only(image, "its result")

    def split(x: PyTree, theta: Theta, noise: Any) -> PyTree:
        plain = {name: value for name, value in theta.items() if type(value) in (bool, int, float)}
        traced = {name: value for name, value in theta.items() if name not in plain}
        return step(x, traced, noise, tuple((name, type(value), value) for name, value in sorted(plain.items())))

    return system._replace(step=split)


def alike(new: PyTree, old: PyTree) -> PyTree:
    """`new` in the dtypes of `old`, as what a loop carries must have.

    Raises:
        ValueError: where another structure, another shape, or a lossy conversion (a float kept as an integer, a
            complex number as a real one) would change what is carried.
    """
    if jax.tree.structure(new) != jax.tree.structure(old):
        raise ValueError(f"a step must keep the structure: {jax.tree.structure(old)} became {jax.tree.structure(new)}")
    return jax.tree.map(_alike, new, old)


def _alike(new: Any, old: Any) -> Array:
    before, after = jnp.result_type(old), jnp.result_type(new)
    if jnp.shape(new) != jnp.shape(old):
        raise ValueError(f"a step must keep the shapes: {jnp.shape(old)} became {jnp.shape(new)}")
    if jnp.issubdtype(before, jnp.number) and jnp.issubdtype(after, jnp.number):
        for kind in (jnp.inexact, jnp.complexfloating):
            if jnp.issubdtype(after, kind) and not jnp.issubdtype(before, kind):
                raise ValueError(
                    f"a step must keep the dtypes: {before} became {after}, which would be cut at every step; "
                    f"start from {after}"
                )
    return lax.convert_element_type(new, before)
