"""Perturbed copies of the trajectory: the ensemble measurement of both studies."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._members import Members
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._norms import named_norm
from chaosjax.probes._perturbation import Copies, Where, check_rounding, describe_where, displacements, perturbation

SPACES = ("phase", "parameters", "function", "prediction", "pairwise")

_LONG_NAMES = {
    "parameters": {"long_name": "distance to the trajectory, parameters alone"},
    "function": {"long_name": "root mean square difference of outputs"},
    "prediction": {"long_name": "fraction of test samples of another class"},
    "pairwise": {"long_name": "mean distance of all pairs"},
    "departure": {"long_name": "relative departure from the tangent"},
    "null": {"long_name": "distance of the unperturbed copy"},
}


class Ensemble(NamedTuple):
    """The perturbed copies, and the tangent vectors that their displacements began as (none without a departure)."""

    copies: Copies
    tangents: Float[Array, "tangents d"]


def ensemble(
    radius: float = 1e-8,
    copies: int = 5,
    norm: str = "l1",
    perturb: str = "uniform",
    where: str | Where = "params",
    spaces: Sequence[str] = ("phase",),
    departure: bool = False,
    noise: str = "common",
) -> Probe:
    """Distances d_i(t) = ‖x_i(t) − x(t)‖ of perturbed copies x_i(0) = x(0) + δ_i from the trajectory x.

    The copies of all ensembles and x are stepped in one batched call, under one noise: at radius 0 the distance is
    exactly 0, and what parts them is the map, never a second program's rounding. `delayed` perturbs a later state.
    Record: ``[copy]``, and by the entries below.

    Cost: `copies` more steps per step; with `departure` as many Jacobian-vector products.

    Args:
        radius: ε, the default of the control parameter ``radius`` (an axis of that name overrides it).
        copies: number of perturbed copies.
        norm: "l1" (that of both studies), "l2" or "max".
        perturb: "uniform": each coordinate U(−ε, ε); "gaussian": each N(0, ε²); "sphere": uniform direction
            with ‖δ‖ = ε in `norm`.
        where: which coordinates are perturbed: "params" (the network's; all of an x that has no ``params``),
            "kernels" (those of its leaves with two axes or more, as in both studies), "all" (optimizer state too:
            mind quantities that must not be negative), or a predicate of a leaf's path in x, e.g.
            ``lambda path: "bias" in path``.
        spaces: where distance is taken: "phase" (all float leaves of x; the probe's own name), "parameters"
            (``_parameters``: without optimizer state), "function" (``_function``: root mean square difference of
            the network's outputs on the test samples), "prediction" (``_prediction``: fraction of those samples
            whose class differs), "pairwise" (``_pairwise``: phase distance averaged over all pairs, x
            included; no copy is special, as driven systems want it).
        departure: also push each δ_i as a tangent vector v_i and record ``_departure`` ``[copy]``,
            ‖(x_i − x) − v_i‖₂ / ‖v_i‖₂: the ensemble is linear, and measures an exponent, while it is small. It
            grows with the distance (nonlinearity) and with rounding.
        noise: "common": copies see the minibatches of x; "independent": each copy its own, and a copy
            that is not perturbed at all beside them: its distance, ``_null``, is what the noise alone does.
            What exceeds it is instability; an ensemble under independent noise without it measures nothing.

    Raises:
        ValueError: for a bad argument, for `where` that matches nothing, for spaces the system has not, and,
            before the first step, when the radius is too small for the dtype (rounding would distort the
            perturbation by more than 10 %, or is all that is left of it).

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), section 2.
    """
    measure = named_norm(norm)
    perturbed = perturbation(radius, copies, norm, perturb, where)
    independent = noise == "independent"
    _check(spaces, noise, departure)
    streams = np.arange(1, copies + 2) if independent else None

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Ensemble:
        made = perturbed(key, x, theta)
        tangents = displacements(made.points, x)[: copies if departure else 0]
        if independent:  # the copy that is not perturbed comes last
            null = jax.tree.map(lambda leaf, own: jnp.concatenate([leaf, jnp.asarray(own)[None]]), made.points, x)
            made = made._replace(points=null)
        return Ensemble(made, tangents)

    def update(m: Ensemble, transition: Transition, images: PyTree) -> Ensemble:
        tangents = transition.pushed(m.tangents) if departure else m.tangents
        return Ensemble(m.copies._replace(points=images), tangents)

    def emit(m: Ensemble, transition: Transition) -> tuple[Ensemble, dict[str, Array]]:
        kept = jax.tree.map(lambda leaf: leaf[:copies], m.copies.points)
        record = {_entry(space): _DISTANCES[space](kept, measure, transition) for space in spaces}
        if independent:
            record["null"] = measure(displacements(m.copies.points, transition.x)[-1])
        if departure:
            gap = jnp.linalg.norm(displacements(kept, transition.x) - m.tangents, axis=1)
            record["departure"] = gap / jnp.linalg.norm(m.tangents, axis=1)
        return m, record

    return Probe(
        init,
        update,
        emit,
        members=lambda m: Members(m.copies.points, streams),
        dims=_dims(spaces, departure, independent),
        attrs={
            "long_name": f"{norm} distance to the trajectory",
            "units": "1",
            "norm": norm,
            "copies": int(copies),
            "perturb": perturb,
            "where": describe_where(where),
            "noise": noise,
            "entries": _LONG_NAMES,
        },
        theta={"radius": radius},
        check=lambda m: check_rounding(m.copies.rounding),
        cost=Cost(steps=copies + independent, tangents=copies * departure),
    )


def _check(spaces: Sequence[str], noise: str, departure: bool) -> None:
    if not spaces or set(spaces) - set(SPACES):
        raise ValueError(f"spaces={list(spaces)} must be some of {', '.join(SPACES)}")
    if noise not in ("common", "independent"):
        raise ValueError(f"noise={noise!r} must be 'common' or 'independent'")
    if noise == "independent" and departure:
        raise ValueError("departure=True compares with the tangent of the common noise; it needs noise='common'")


@runtime_checkable
class _Distance(Protocol):
    def __call__(self, copies: PyTree, measure: Callable, transition: Transition, /) -> Array: ...


def _entry(space: str) -> str:
    return "" if space == "phase" else space


def _dims(spaces: Sequence[str], departure: bool, independent: bool) -> dict[str, tuple[str, ...]]:
    entries = [_entry(space) for space in spaces] + ["departure"] * departure
    own: dict[str, tuple[str, ...]] = {entry: () if entry == "pairwise" else ("copy",) for entry in entries}
    return own | ({"null": ()} if independent else {})


def _outputs(copies: PyTree, transition: Transition) -> tuple[Array, Array]:
    """Outputs of the copies ``[copies, n, outputs]`` and of x ``[n, outputs]``."""
    outputs = transition.system.outputs
    if outputs is None:
        raise ValueError("this System has no outputs to compare: give System(outputs=...), or drop the space")
    together = jax.tree.map(lambda x, rest: jnp.concatenate([x[None], rest]), transition.x, copies)
    found = jax.vmap(lambda x: outputs(x, transition.theta))(together)
    return found[1:], found[0]


def _function(copies: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    theirs, own = _outputs(copies, transition)
    return jnp.sqrt(jnp.mean((theirs - own[None]) ** 2, axis=(1, 2)))


def _prediction(copies: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    theirs, own = _outputs(copies, transition)
    flipped = jnp.mean(jnp.argmax(theirs, -1) != jnp.argmax(own, -1)[None], axis=1, dtype=own.dtype)
    return jnp.where(jnp.all(jnp.isfinite(theirs + own[None]), axis=(1, 2)), flipped, jnp.nan)


def _parameters(copies: PyTree, measure: Callable, transition: Transition) -> Float[Array, " copies"]:
    params: Any = transition.system.params
    return measure(displacements(jax.vmap(params)(copies), params(transition.x)))


def _pairwise(copies: PyTree, measure: Callable, transition: Transition) -> Float[Array, ""]:
    u = jnp.concatenate([phase(transition.x)[0][None], jax.vmap(lambda x: phase(x)[0])(copies)])
    first, second = jnp.triu_indices(u.shape[0], 1)
    return jnp.mean(measure(u[first] - u[second]))


_DISTANCES: dict[str, _Distance] = {
    "phase": lambda copies, measure, transition: measure(displacements(copies, transition.x)),
    "parameters": _parameters,
    "function": _function,
    "prediction": _prediction,
    "pairwise": _pairwise,
}
