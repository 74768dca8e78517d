"""Largest Lyapunov exponent from renormalised copies: an ensemble that never saturates."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._probe import Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._norms import named_norm
from chaosjax.probes._perturbation import Ensemble, Where, check_rounding, describe_where, displacements, perturbation


class Benettin(NamedTuple):
    """The ensemble, the radius it is brought back to, its distances then, and what it has grown by since."""

    ensemble: Ensemble
    radius: Float[Array, ""]
    distance: Float[Array, " copies"]
    growth: Float[Array, " copies"]


def benettin(
    radius: float = 1e-8,
    copies: int = 1,
    every: int = 10,
    norm: str = "l2",
    perturb: str = "sphere",
    where: str | Where = "params",
) -> Probe:
    """Growth of perturbed copies that are brought back to distance ε from their reference every `every` steps.

    ``g ← g + ln(d_i / d_i')``, d_i' the distance realised at the last renormalisation and d_i the distance now; then
    ``x_i ← x_0 + (ε / d_i)(x_i − x_0)``. Record: g in nats since the last record, ``[renormalised_copy]``, 0 at the
    first; its sum over a window by the steps in it is the window's largest exponent (`stats.finite_time_exponents`).
    It is the tangent's up to terms of order d (nonlinearity) and of order ``rounding / ε``. Where a step has no
    derivative, or a memory too large for its tangent, this is the instrument; else take `lyapunov`.

    Cost: `copies` more steps a step. Copies differ in their first direction alone and soon agree; float32 needs
    radii of 1e-3 and more.

    Args:
        every: steps between renormalisations: the distance must stay small in between. A record renormalises too.
        radius, copies, norm, perturb, where: as in `ensemble`.

    Raises:
        ValueError: as `ensemble`; for `every` below 1.

    Source: Benettin, Galgani, Strelcyn, Phys. Rev. A 14 (1976) 2338.
    """
    measure = named_norm(norm)
    perturbed = perturbation(radius, copies, norm, perturb, where)
    if every != int(every) or every < 1:
        raise ValueError(f"every={every!r} must be a positive integer number of steps")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Benettin:
        ensemble = perturbed(key, x, theta)
        distance = measure(displacements(ensemble.points))
        target = jnp.asarray(theta.get("radius", radius), distance.dtype)
        return Benettin(ensemble, target, distance, jnp.zeros_like(distance))

    def renormalise(m: Benettin) -> Benettin:
        u = jax.vmap(lambda x: phase(x)[0])(m.ensemble.points)
        displacement = u[1:] - u[:1]
        distance = measure(displacement)
        near = u[:1] + displacement * (m.radius / distance)[:, None]
        charted = jax.vmap(lambda x, u: phase(x)[1](u))(m.ensemble.points, jnp.concatenate([u[:1], near]))
        growth = m.growth + jnp.log(distance / m.distance)
        return Benettin(m.ensemble._replace(points=charted), m.radius, measure(near - u[:1]), growth)

    def update(m: Benettin, transition: Transition) -> Benettin:
        points = jax.vmap(transition.step)(m.ensemble.points)
        transition.adopt(jax.tree.map(lambda leaf: leaf[0], points))
        m = m._replace(ensemble=m.ensemble._replace(points=points))
        if every == 1:
            return renormalise(m)
        return lax.cond((transition.t + 1) % every == 0, renormalise, lambda m: m, m)

    def emit(m: Benettin, transition: Transition):
        m = renormalise(m)
        return m._replace(growth=jnp.zeros_like(m.growth)), m.growth

    return Probe(
        init,
        update,
        emit,
        dims=("renormalised_copy",),
        attrs={
            "long_name": "growth of renormalised copies since the last record",
            "units": "nats",
            "norm": norm,
            "copies": int(copies),
            "every_steps": int(every),
            "perturb": perturb,
            "where": describe_where(where),
        },
        theta={"radius": radius},
        check=lambda m: check_rounding(m.ensemble.rounding),
    )
