"""How far each weight has come, and how far it went for that."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._probe import Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition


class Travel(NamedTuple):
    """The coordinates at t = 0, and the length of each one's way since."""

    first: Float[Array, " d"]
    distance: Float[Array, " d"]


def travel() -> Probe:
    """Displacement ``Δw = w(t) − w(0)`` and distance ``Dw = Σ_{s<t} |w(s+1) − w(s)|`` of each parameter.

    Records: ``_displacement`` and ``_distance``, each ``[weight]``, 0 at t = 0. ``|Δw| ≤ Dw``, with equality for a
    weight that never turned back. The sum is over every step, whatever the stride. Cost: next to nothing, memory 2·d.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), figure 5.
    """

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Travel:
        u, _ = phase(x)
        return Travel(u, jnp.zeros_like(u))

    def update(m: Travel, transition: Transition) -> Travel:
        return m._replace(distance=m.distance + jnp.abs(phase(transition.y)[0] - phase(transition.x)[0]))

    def emit(m: Travel, transition: Transition) -> tuple[Travel, dict[str, Array]]:
        return m, {
            "displacement": transition.project(phase(transition.x)[0] - m.first),
            "distance": transition.project(m.distance),
        }

    return Probe(
        init,
        update,
        emit,
        dims={"displacement": ("weight",), "distance": ("weight",)},
        attrs={"long_name": "travel of a weight", "units": "1"},
    )
