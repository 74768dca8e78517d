"""Perturbed copies that shadow the trajectory: the ensemble measurement of the studies."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax.precision import ROUNDING_TOLERANCE, rounding_of
from chaosjax.probe import Probe
from chaosjax.probes.norms import named_norm
from chaosjax.system import Theta, phase
from chaosjax.transition import Transition

Where = Callable[[tuple[str, ...]], bool]


class Shadow(NamedTuple):
    """The reference at index 0 and its perturbed copies, and how faithfully the perturbation was realised."""

    ensemble: PyTree
    rounding: Float[Array, ""]


def shadow(
    radius: float = 1e-8,
    copies: int = 5,
    norm: str = "l1",
    perturb: str = "uniform",
    where: str | Where = "params",
) -> Probe:
    """Distances d_i(t) = ‖x_i(t) − x_0(t)‖ of perturbed copies x_i(0) = x(0) + δ_i from their reference x_0.

    Copies and reference are stepped in one batched call, under one noise: at radius 0 the distance is exactly 0,
    and what parts them is the map, never a second program's rounding. The reference is the trajectory itself
    (for the first shadow of a run; another keeps a reference of its own, equal up to rounding). The distance is
    taken over all float leaves of the phase point. Cost: `copies` more steps a step. Record: ``[copy]``.

    Args:
        radius: ε, the default of the control parameter ``radius`` (an axis of that name overrides it).
        copies: number of perturbed copies.
        norm: "l1" (the studies'), "l2" or "max".
        perturb: "uniform": each coordinate U(−ε, ε); "gaussian": each N(0, ε²); "sphere": uniform direction
            with ‖δ‖ = ε in `norm`.
        where: which coordinates are perturbed: "params" (the network's; all of an x that has no ``params``),
            "kernels" (those of its leaves with two axes or more, the studies'), "all" (optimizer state too:
            mind quantities that must not be negative), or a predicate of a leaf's path in x, e.g.
            ``lambda path: "bias" in path``.

    Raises:
        ValueError: for a bad argument, for `where` that matches nothing, and, before the first step, when the
            radius is too small for the dtype (rounding would distort the perturbation by more than 10 %).

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), section 2.
    """
    measure = named_norm(norm)
    if perturb not in _DRAWS:
        raise ValueError(f"shadow: perturb={perturb!r} is not known; choose from {', '.join(_DRAWS)}")
    if copies != int(copies) or copies < 1:
        raise ValueError(f"shadow: copies={copies!r} must be a positive integer")
    if isinstance(where, str) and where not in ("all", "params", "kernels"):
        raise ValueError(f"shadow: where={where!r} is not known; choose all, params or kernels, or give a predicate")
    if not (np.isfinite(radius) and radius >= 0):
        raise ValueError(f"shadow: radius={radius!r} must be finite and not negative")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Shadow:
        u, chart = phase(x)
        mask = jnp.asarray(_mask(x, where), u.dtype)
        draw = _DRAWS[perturb](key, (copies, u.size), u.dtype) * mask[None]
        if perturb == "sphere":
            draw = draw / measure(draw)[:, None]
        delta = jnp.asarray(theta.get("radius", radius), u.dtype) * draw
        ensemble = jnp.concatenate([u[None], u[None] + delta])
        return Shadow(jax.vmap(chart)(ensemble), rounding_of(u, delta))

    def update(m: Shadow, transition: Transition) -> Shadow:
        ensemble = jax.vmap(transition.step)(m.ensemble)
        transition.adopt(jax.tree.map(lambda leaf: leaf[0], ensemble))
        return m._replace(ensemble=ensemble)

    def emit(m: Shadow, transition: Transition):
        u = jax.vmap(lambda x: phase(x)[0])(m.ensemble)
        return m, measure(u[1:] - u[:1])

    return Probe(
        init,
        update,
        emit,
        dims=("copy",),
        attrs={
            "long_name": f"{norm} distance to the reference",
            "units": "1",
            "norm": norm,
            "copies": int(copies),
            "perturb": perturb,
            "where": where if isinstance(where, str) else getattr(where, "__qualname__", "predicate"),
        },
        theta={"radius": radius},
        check=_check,
    )


_DRAWS: dict[str, Callable[..., Array]] = {
    "uniform": lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -1.0, 1.0),
    "gaussian": jax.random.normal,
    "sphere": jax.random.normal,
}


def _check(m: Shadow) -> None:
    rounding = np.asarray(m.rounding)
    worst = float(np.max(rounding[np.isfinite(rounding)], initial=0.0))
    if worst > ROUNDING_TOLERANCE:
        dtype = np.asarray(m.rounding).dtype
        raise ValueError(
            f"radius: {dtype} rounding distorts the perturbation by {worst:.0%} (at most {ROUNDING_TOLERANCE:.0%} is "
            "allowed). Call enable_x64() first, take a larger radius, or measure with probes.lyapunov, which needs none"
        )


def _mask(x: PyTree, where: str | Where) -> Float[np.ndarray, " d"]:
    paths, _ = jax.tree_util.tree_flatten_with_path(x)
    named = [(tuple(jax.tree_util.keystr((key,), simple=True) for key in path), leaf) for path, leaf in paths]
    has_params = any(path and path[0] == "params" for path, _ in named)

    def chosen(path: tuple[str, ...], leaf: Array) -> bool:
        if callable(where):
            return where(path)
        of_network = not has_params or path[0] == "params"
        return {"all": True, "params": of_network, "kernels": of_network and jnp.ndim(leaf) > 1}[where]

    floats = [(path, leaf) for path, leaf in named if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    mask = np.concatenate([np.full(jnp.size(leaf), float(chosen(path, leaf))) for path, leaf in floats])
    if not mask.any():
        raise ValueError(f"shadow: where={where!r} matches no coordinate of the phase point")
    return mask
