"""A controller on trial: the learning rate rises while a tangent vector does not grow, and falls when it does."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

import chaosjax as cj
from experiments._carrying import carrying


class Followed(NamedTuple):
    """A phase point with its tangent vector, the mean of that vector's growth (nats per step), and ln η."""

    point: PyTree
    vector: Float[Array, " d"]
    growth: Float[Array, ""]
    log_rate: Float[Array, ""]


def follow_the_edge(
    system: cj.System, level: float = 0.05, gain: float = 6.0, memory: float = 0.5, first: float = 1e-4
) -> cj.System:
    """Keep a training at a mean tangent growth of `level`, ``ln η ← ln η + gain · clip(level − ⟨g⟩, −0.25, 0.05)``.

    Args:
        system: with the control parameter ``learning_rate``.
        level: of the growth g, nats per step.
        gain: at most 1.35 times up per step, and 4.5 times down, for 6.
        memory: of the exponential mean ⟨g⟩, per step.
        first: learning rate of the first step.

    Cost: one tangent product more per step.
    """

    def init(key: PRNGKeyArray, theta: Any) -> Followed:
        point = system.init(key, {"learning_rate": first})
        u, _ = cj.phase(point)
        vector = jax.random.normal(jax.random.fold_in(key, 1), u.shape, u.dtype)
        zero = jnp.zeros((), u.dtype)
        return Followed(point, vector / jnp.linalg.norm(vector), zero, zero + jnp.log(first))

    def step(x: Followed, theta: Any, noise: Any) -> Followed:
        u, chart = cj.phase(x.point)

        def image(u: Array) -> tuple[Array, PyTree]:
            y = system.step(chart(u), {"learning_rate": jnp.exp(x.log_rate)}, noise)
            return cj.phase(y)[0], y

        _, pushed, y = jax.jvp(image, (u,), (x.vector,), has_aux=True)
        length = jnp.linalg.norm(pushed)
        growth = memory * x.growth + (1 - memory) * jnp.log(length)
        log_rate = x.log_rate + gain * jnp.clip(level - growth, -0.25, 0.05)
        return Followed(y, pushed / length, growth, log_rate)

    words = f"tangent growth {level:g}, gain {gain:g}, from {first:g}"
    return carrying(system, init, step, {}, controller=words)
