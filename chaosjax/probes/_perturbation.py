"""Perturbed copies of a phase point: what every ensemble instrument starts from."""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._precision import ROUNDING_TOLERANCE, rounding_of
from chaosjax._system import Theta, phase
from chaosjax.probes._norms import named_norm

Where = Callable[[tuple[str, ...]], bool]
"""Whether the coordinates of a leaf of x are chosen, by the leaf's path."""


class Copies(NamedTuple):
    """Phase points ``x + δ_i``, ``[copies, ...]``, and how faithfully the perturbation was realised.

    Attributes:
        rounding: relative error of the realised perturbation; infinite for a radius above 0 that the dtype holds as 0.
    """

    points: PyTree
    rounding: Float[Array, ""]


@runtime_checkable
class Perturb(Protocol):
    """Makes perturbed copies of a phase point."""

    def __call__(self, key: PRNGKeyArray, x: PyTree, theta: Theta, /) -> Copies: ...


def perturbation(radius: float, copies: int, norm: str, perturb: str, where: str | Where) -> Perturb:
    """``(key, x, theta) -> Copies`` of x: `copies` points ``x + δ_i``; the arguments are those of `ensemble`.

    The control parameter ``radius``, where it is given, overrides the radius.

    Raises:
        ValueError: for a bad argument, and, when called, for `where` that matches nothing.
    """
    measure = named_norm(norm)
    if perturb not in _DRAWS:
        raise ValueError(f"perturb={perturb!r} is not known; choose from {', '.join(_DRAWS)}")
    check_count("copies", copies)
    check_where(where)
    if not (np.isfinite(radius) and radius >= 0):
        raise ValueError(f"radius={radius!r} must be finite and not negative")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Copies:
        u, chart = phase(x)
        mask = jnp.asarray(chosen(x, where), u.dtype)
        draw = _DRAWS[perturb](key, (copies, u.size), u.dtype) * mask[None]
        if perturb == "sphere":
            draw = draw / measure(draw)[:, None]
        asked = theta.get("radius", radius)
        held = jnp.asarray(asked, u.dtype)
        # behind the barrier, or the compiler would cancel u in (u + δ) − u where it knows u
        u, delta = lax.optimization_barrier((u, held * draw))
        perturbed = lax.optimization_barrier(u[None] + delta)
        lost = (jnp.asarray(asked) != 0) & (held == 0)
        rounding = jnp.where(lost, jnp.inf, rounding_of(u, delta, perturbed))
        return Copies(jax.vmap(chart)(perturbed), rounding)

    return init


def displacements(points: PyTree, x: PyTree) -> Float[Array, "copies d"]:
    """``u_i − u`` of the points from x, in the coordinates of `phase`."""
    return jax.vmap(lambda point: phase(point)[0])(points) - phase(x)[0][None]


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


def check_rounding(rounding: Float[np.ndarray, " cells"]) -> None:
    """Refuses a radius that the dtype cannot hold.

    Raises:
        ValueError: if rounding distorts a perturbation by more than `precision.ROUNDING_TOLERANCE`.
    """
    values = np.asarray(rounding)
    worst = float(np.max(values[~np.isnan(values)], initial=0.0))
    if np.isinf(worst):
        raise ValueError(
            f"radius: {values.dtype} holds it as 0. Call enable_x64() first, take a larger radius (or 0 itself), "
            "or measure with probes.lyapunov, which needs none"
        )
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
