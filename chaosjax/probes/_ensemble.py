"""Perturbed copies of the trajectory: the ensemble measurement of the studies."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._probe import Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._norms import named_norm
from chaosjax.probes._perturbation import (
    Ensemble,
    Where,
    check_rounding,
    describe_where,
    displacements,
    perturbation,
    placed_at,
)

SPACES = ("phase", "parameters", "function", "prediction", "pairwise")


class Shadow(NamedTuple):
    """The ensemble, the tangent vectors its displacements began as (none where no departure is asked for), and the key
    of a perturbation that is still to come."""

    ensemble: Ensemble
    tangents: Float[Array, "tangents d"]
    key: PRNGKeyArray | None


def ensemble(
    radius: float = 1e-8,
    copies: int = 5,
    norm: str = "l1",
    perturb: str = "uniform",
    where: str | Where = "params",
    spaces: Sequence[str] = ("phase",),
    departure: bool = False,
    noise: str = "common",
    start: int = 0,
) -> Probe:
    """Distances d_i(t) = ‖x_i(t) − x_0(t)‖ of perturbed copies x_i(0) = x(0) + δ_i from their reference x_0.

    Copies and reference are stepped in one batched call, under one noise: at radius 0 the distance is exactly 0,
    and what parts them is the map, never a second program's rounding. The reference is the trajectory itself
    (for the first ensemble of a run; another keeps a reference of its own, equal up to rounding). Cost: `copies`
    more steps a step. Record: ``[copy]``, and by the entries below.

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
        spaces: where distance is taken: "phase" (all float leaves of x; the probe's own name), "parameters"
            (``_parameters``: without optimizer state), "function" (``_function``: root mean square difference of
            the network's outputs on the test samples), "prediction" (``_prediction``: fraction of those samples
            whose class differs), "pairwise" (``_pairwise``: phase distance averaged over all pairs, reference
            included; no copy is special, as driven systems want it).
        departure: also push each δ_i as a tangent vector v_i and record ``_departure`` ``[copy]``,
            ‖(x_i − x_0) − v_i‖₂ / ‖v_i‖₂: the ensemble is linear, and measures an exponent, while it is small. It
            grows with the distance (nonlinearity) and with rounding. Cost: `copies` Jacobian-vector products.
        noise: "common": copies see the reference's minibatches; "independent": each copy its own, and a copy
            that is not perturbed at all beside them: its distance, ``_null``, is what the noise alone does.
            What exceeds it is instability; an ensemble under independent noise without it measures nothing.
        start: time t at which the copies are made, ``x_i(t) = x(t) + δ_i``, with the δ_i of any other start. Before,
            nothing but x is stepped, distances are exactly 0 and the departure is NaN: give statistics of growth
            ``.sel(time=slice(start, None))``.

    Raises:
        ValueError: for a bad argument, for `where` that matches nothing, for spaces the system has not, and,
            before the first step, when the radius is too small for the dtype (rounding would distort the
            perturbation by more than 10 %). It is the initial weights that are looked at, whatever the start.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), section 2.
    """
    measure = named_norm(norm)
    perturbed = perturbation(radius, copies, norm, perturb, where)
    if not spaces or set(spaces) - set(SPACES):
        raise ValueError(f"spaces={list(spaces)} must be some of {', '.join(SPACES)}")
    if noise not in ("common", "independent"):
        raise ValueError(f"noise={noise!r} must be 'common' or 'independent'")
    if not (isinstance(start, (int, np.integer)) and start >= 0):
        raise ValueError(f"start={start!r} must be a time: an integer, 0 or later")
    independent = noise == "independent"
    if independent and departure:
        raise ValueError("departure=True compares with the tangent of the common noise; it needs noise='common'")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Shadow:
        ensemble = perturbed(key, x, theta)
        tangents = displacements(ensemble.points)[: copies if departure else 0]
        if independent:
            null = jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf[:1]]), ensemble.points)
            ensemble = ensemble._replace(points=null)
        return Shadow(ensemble, tangents, key if start else None)

    def update(m: Shadow, transition: Transition) -> Shadow:
        if independent:
            count = copies + 2
            others = jax.vmap(transition.redraw)(jnp.arange(1, count))
            noises = jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), transition.noise, others)
            theta = transition.theta
            points = jax.vmap(lambda x, noise: transition.system.step(x, theta, noise))(m.ensemble.points, noises)
        else:
            points = jax.vmap(transition.step)(m.ensemble.points)
        transition.adopt(jax.tree.map(lambda leaf: leaf[0], points))
        tangents = jax.vmap(transition.push)(m.tangents) if departure else m.tangents
        return m._replace(ensemble=m.ensemble._replace(points=points), tangents=tangents)

    def distances(m: Shadow, transition: Transition) -> dict[str, Array]:
        found = m.ensemble.points
        kept = jax.tree.map(lambda leaf: leaf[: copies + 1], found)
        record = {_entry(space): _DISTANCES[space](kept, measure, transition) for space in spaces}
        if independent:
            record["null"] = measure(displacements(found)[-1])
        if departure:
            gap = jnp.linalg.norm(displacements(kept) - m.tangents, axis=1)
            record["departure"] = gap / jnp.linalg.norm(m.tangents, axis=1)
        return record

    def emit(m: Shadow, transition: Transition):
        def together(m):
            shapes = jax.eval_shape(lambda m: distances(m, transition), m)
            return {e: jnp.full(s.shape, jnp.nan if e == "departure" else 0, s.dtype) for e, s in shapes.items()}

        if not start:
            return m, distances(m, transition)
        return m, lax.cond(transition.t >= start, lambda m: distances(m, transition), together, m)

    entries = [_entry(space) for space in spaces] + (["departure"] if departure else [])
    dims: dict[str, tuple[str, ...]] = {entry: () if entry == "pairwise" else ("copy",) for entry in entries}
    return Probe(
        init,
        placed_at(start, lambda m, y, theta: init(m.key, y, theta), update) if start else update,
        emit,
        dims=dims | ({"null": ()} if independent else {}),
        attrs={
            "long_name": f"{norm} distance to the reference",
            "units": "1",
            "norm": norm,
            "copies": int(copies),
            "perturb": perturb,
            "where": describe_where(where),
            "noise": noise,
            "start": int(start),
        },
        theta={"radius": radius},
        check=lambda m: check_rounding(m.ensemble.rounding),
    )


def _entry(space: str) -> str:
    return "" if space == "phase" else space


def _outputs(points: PyTree, transition: Transition) -> Float[Array, "points n outputs"]:
    outputs = transition.system.outputs
    if outputs is None:
        raise ValueError("this System has no outputs to compare: give System(outputs=...), or drop the space")
    return jax.vmap(lambda x: outputs(x, transition.theta))(points)


def _function(points: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    outputs = _outputs(points, transition)
    return jnp.sqrt(jnp.mean((outputs[1:] - outputs[:1]) ** 2, axis=(1, 2)))


def _prediction(points: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    outputs = _outputs(points, transition)
    labels = jnp.argmax(outputs, axis=-1)
    flipped = jnp.mean(labels[1:] != labels[:1], axis=1, dtype=outputs.dtype)
    return jnp.where(jnp.all(jnp.isfinite(outputs[1:] + outputs[:1]), axis=(1, 2)), flipped, jnp.nan)


def _parameters(points: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    return measure(displacements(jax.vmap(transition.system.params)(points)))


def _pairwise(points: PyTree, measure: Callable, transition: Transition) -> Float[Array, ""]:
    u = jax.vmap(lambda x: phase(x)[0])(points)
    first, second = jnp.triu_indices(u.shape[0], 1)
    return jnp.mean(measure(u[first] - u[second]))


_DISTANCES: dict[str, Callable[..., Array]] = {
    "phase": lambda points, measure, transition: measure(displacements(points)),
    "parameters": _parameters,
    "function": _function,
    "prediction": _prediction,
    "pairwise": _pairwise,
}
