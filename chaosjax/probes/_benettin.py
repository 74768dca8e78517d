"""Largest Lyapunov exponent from renormalised copies: an ensemble that never saturates."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._members import Members
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._norms import named_norm
from chaosjax.probes._perturbation import Copies, Where, check_rounding, describe_where, displacements, perturbation


class Benettin(NamedTuple):
    """The copies, the radius they are brought back to, and what they have grown by since the last record.

    Attributes:
        distance: what the copies' distances were when growth was last counted.
    """

    copies: Copies
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
    """Growth of perturbed copies that are brought back to distance ε from the trajectory every `every` steps.

    ``g ← g + ln(d_i / d_i')``, d_i' the distance when growth was last counted and d_i the distance now; at the times of
    renormalisation then ``x_i ← x + (ε / d_i)(x_i − x)``. Record: g in nats since the last record,
    ``[renormalised_copy]``, 0 at the first; its sum over a window divided by the steps in it is the window's largest
    exponent (`stats.finite_time_exponents`). It is the tangent's up to terms of order d (nonlinearity) and of order
    ``rounding / ε``. This is the instrument where a step has no derivative, or its tangent needs too much memory; else
    take `lyapunov`. Copies differ in their first direction alone and soon agree; float32 needs radii of 1e-3 and more.

    Cost: `copies` more steps per step.

    Args:
        every: steps between renormalisations: the distance must stay small in between. Records change nothing.
        radius, copies, norm, perturb, where: as in `ensemble`.

    Raises:
        ValueError: as `ensemble`; for `every` below 1, or a radius of 0, from which nothing grows.

    Source: Benettin, Galgani, Strelcyn, Phys. Rev. A 14 (1976) 2338.
    """
    if radius == 0:
        raise ValueError("radius=0: copies at distance 0 cannot grow; take a radius above 0")
    measure = named_norm(norm)
    perturbed = perturbation(radius, copies, norm, perturb, where)
    every = check_count("every", every, what="steps between renormalisations")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Benettin:
        made = perturbed(key, x, theta)
        distance = measure(displacements(made.points, x))
        target = jnp.asarray(theta.get("radius", radius), distance.dtype)
        return Benettin(made, target, distance, jnp.zeros_like(distance))

    def counted(m: Benettin, x: PyTree) -> Benettin:
        distance = measure(displacements(m.copies.points, x))
        return m._replace(distance=distance, growth=m.growth + jnp.log(distance / m.distance))

    def renormalised(m: Benettin, x: PyTree) -> Benettin:
        m = counted(m, x)
        u, _ = phase(x)
        near = u[None] + displacements(m.copies.points, x) * (m.radius / m.distance)[:, None]
        points = jax.vmap(lambda point, v: phase(point)[1](v))(m.copies.points, near)
        return m._replace(copies=m.copies._replace(points=points), distance=measure(near - u[None]))

    def update(m: Benettin, transition: Transition, images: PyTree) -> Benettin:
        m = m._replace(copies=m.copies._replace(points=images))
        if every == 1:
            return renormalised(m, transition.y)
        due = (transition.t + 1) % every == 0
        return lax.cond(due, lambda m: renormalised(m, transition.y), lambda m: m, m)

    def emit(m: Benettin, transition: Transition) -> tuple[Benettin, Float[Array, " copies"]]:
        m = counted(m, transition.x)
        return m._replace(growth=jnp.zeros_like(m.growth)), m.growth

    return Probe(
        init,
        update,
        emit,
        members=lambda m: Members(m.copies.points),
        dims=("renormalised_copy",),
        attrs={
            "long_name": "growth of renormalised copies since the last record",
            "units": "nats",
            "norm": norm,
            "copies": int(copies),
            "every_steps": every,
            "perturb": perturb,
            "where": describe_where(where),
        },
        theta={"radius": radius},
        check=lambda m: check_rounding(m.copies.rounding),
        cost=Cost(steps=copies),
    )
