"""Perturbed copies of a phase point, with their reference at index 0: what every ensemble instrument starts from."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._precision import ROUNDING_TOLERANCE, rounding_of
from chaosjax._system import Theta, alike, phase
from chaosjax._transition import Transition
from chaosjax.probes._norms import named_norm

Where = Callable[[tuple[str, ...]], bool]


class Ensemble(NamedTuple):
    """Phase points ``[1 + copies, ...]``, the reference first, and how faithfully the perturbation was realised."""

    points: PyTree
    rounding: Float[Array, ""]


def perturbation(
    radius: float, copies: int, norm: str, perturb: str, where: str | Where
) -> Callable[[PRNGKeyArray, PyTree, Theta], Ensemble]:
    """``(key, x, theta) -> Ensemble`` of x and `copies` points ``x + δ_i``; the arguments are those of `ensemble`.

    The control parameter ``radius``, where it is given, overrides the radius.

    Raises:
        ValueError: for a bad argument, and, when called, for `where` that matches nothing.
    """
    measure = named_norm(norm)
    if perturb not in _DRAWS:
        raise ValueError(f"perturb={perturb!r} is not known; choose from {', '.join(_DRAWS)}")
    if copies != int(copies) or copies < 1:
        raise ValueError(f"copies={copies!r} must be a positive integer")
    check_where(where)
    if not (np.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius={radius!r} must be finite and not negative")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Ensemble:
        u, chart = phase(x)
        mask = jnp.asarray(chosen(x, where), u.dtype)
        draw = _DRAWS[perturb](key, (copies, u.size), u.dtype) * mask[None]
        if perturb == "sphere":
            draw = draw / measure(draw)[:, None]
        delta = jnp.asarray(theta.get("radius", radius), u.dtype) * draw
        ensemble = jnp.concatenate([u[None], u[None] + delta])
        return Ensemble(jax.vmap(chart)(ensemble), rounding_of(u, delta))

    return init


def placed_at(
    start: int, place: Callable[[PyTree, PyTree, Theta], PyTree], update: Callable[[PyTree, Transition], PyTree]
) -> Callable[[PyTree, Transition], PyTree]:
    """`update` for a memory that the step to t = `start` makes by ``place(m, y, theta)``; before, only x is stepped.

    The branches are on the clock, which nothing batches: what is not taken costs nothing.
    """

    def placed(m: PyTree, transition: Transition) -> PyTree:
        def follow(m):
            here = transition.fork()
            return alike((update(m, here), here.y), (m, transition.x))

        def wait(m):
            y = alike(transition.fork().y, transition.x)
            arrives = transition.t + 1 == start
            return lax.cond(arrives, lambda: alike(place(m, y, transition.theta), m), lambda: m), y

        m, y = lax.cond(transition.t >= start, follow, wait, m)
        transition.adopt(y)
        return m

    return placed


def displacements(points: PyTree) -> Float[Array, "copies d"]:
    """``u_i − u_0`` of the copies in an ensemble, in the coordinates of `phase`."""
    u = jax.vmap(lambda x: phase(x)[0])(points)
    return u[1:] - u[:1]


def check_where(where: str | Where) -> None:
    """Refuses a name of coordinates that is not known."""
    if isinstance(where, str) and where not in ("all", "params", "kernels"):
        raise ValueError(f"where={where!r} is not known; choose all, params or kernels, or give a predicate")


def chosen(x: PyTree, where: str | Where) -> Float[np.ndarray, " d"]:
    """1 for each coordinate of x that `where` chooses, 0 for the others."""
    paths, _ = jax.tree_util.tree_flatten_with_path(x)
    named = [(tuple(jax.tree_util.keystr((key,), simple=True) for key in path), leaf) for path, leaf in paths]
    has_params = any(path and path[0] == "params" for path, _ in named)

    def wanted(path: tuple[str, ...], leaf: Array) -> bool:
        if callable(where):
            return where(path)
        of_network = not has_params or path[0] == "params"
        return {"all": True, "params": of_network, "kernels": of_network and jnp.ndim(leaf) > 1}[where]

    floats = [(path, leaf) for path, leaf in named if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    mask = np.concatenate([np.full(jnp.size(leaf), float(wanted(path, leaf))) for path, leaf in floats])
    if not mask.any():
        raise ValueError(f"where={where!r} matches no coordinate of the phase point")
    return mask


def describe_where(where: str | Where) -> str:
    """Which coordinates are perturbed, as a word that identifies a run."""
    return where if isinstance(where, str) else getattr(where, "__qualname__", "predicate")


def check_rounding(rounding: Float[Array, " cells"]) -> None:
    """Refuses a radius that the dtype cannot hold.

    Raises:
        ValueError: if rounding distorts a perturbation by more than `precision.ROUNDING_TOLERANCE`.
    """
    values = np.asarray(rounding)
    worst = float(np.max(values[np.isfinite(values)], initial=0.0))
    if worst > ROUNDING_TOLERANCE:
        raise ValueError(
            f"radius: {values.dtype} rounding distorts the perturbation by {worst:.0%} (at most "
            f"{ROUNDING_TOLERANCE:.0%} is allowed). Call enable_x64() first, take a larger radius, or measure with "
            "probes.lyapunov, which needs none"
        )


_DRAWS: dict[str, Callable[..., Array]] = {
    "uniform": lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -1.0, 1.0),
    "gaussian": jax.random.normal,
    "sphere": jax.random.normal,
}
