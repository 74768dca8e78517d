"""The only time loop: a system, its probes and two clocks."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from chaosjax._probe import Probe
from chaosjax._system import System, Theta, alike
from chaosjax._transition import Transition

Probes = Mapping[str, Probe]


class Carry(NamedTuple):
    """The state of a cell: the phase point and every probe's memory. The clock and the noise are not in it."""

    x: PyTree
    memories: dict[str, PyTree]


def start(system: System, probes: Probes, key: PRNGKeyArray, theta: Theta) -> Carry:
    """The first phase point and the probes' first memories.

    A probe's random numbers depend on the key and the probe's name alone, so adding a probe changes no other.
    """
    x = _strong(system.init(jax.random.fold_in(key, 0), theta))
    memories = {}
    for name, probe in probes.items():
        with named(name):
            own_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
            memories[name] = _strong(probe.init(own_key, x, {**probe.theta, **theta}))
    return Carry(x, memories)


def advance(
    system: System,
    probes: Probes,
    carry: Carry,
    t0: Int[Array, ""] | int,
    theta: Theta,
    noise_key: PRNGKeyArray,
    *,
    blocks: int,
    stride: int,
) -> tuple[Carry, dict[str, Any]]:
    """`blocks` times: a record at t = t0 + i·stride, then `stride` steps.

    ``x[t+1] = step(x[t], theta, noise(noise_key, t))``. The outer scan records, the inner one only updates; no
    branch decides between them, so nothing that a record needs is computed at a step without one. The record
    and the step from the same t share one `Transition`. Pure: jit, vmap and differentiate it at will.

    Returns:
        the carry at ``t0 + blocks·stride`` and the records by probe name, ``[blocks, ...]``. The record of
        that last time is `observe`'s.
    """

    def at(carry: Carry, t: Array) -> Transition:
        return Transition(system, t, carry.x, theta, system.noise(noise_key, t), noise_key)

    def step(carry: Carry, t: Array) -> tuple[Carry, None]:
        return _follow(probes, carry, at(carry, t)), None

    def block(carry: Carry, t: Array) -> tuple[Carry, dict[str, Any]]:
        transition = at(carry, t)
        carry, records = _emit(probes, carry, transition)
        carry = _follow(probes, carry, transition)
        if stride > 1:
            carry, _ = lax.scan(step, carry, t + jnp.arange(1, stride, dtype=jnp.int32))
        return carry, records

    times = jnp.asarray(t0, jnp.int32) + stride * jnp.arange(blocks, dtype=jnp.int32)
    return lax.scan(block, carry, times)


def observe(
    system: System,
    probes: Probes,
    carry: Carry,
    t: Int[Array, ""] | int,
    theta: Theta,
    noise_key: PRNGKeyArray,
) -> dict[str, Any]:
    """The records at time t, without a step: the last entry of a run."""
    t = jnp.asarray(t, jnp.int32)
    transition = Transition(system, t, carry.x, theta, system.noise(noise_key, t), noise_key)
    return _emit(probes, carry, transition)[1]


def _emit(probes: Probes, carry: Carry, transition: Transition) -> tuple[Carry, dict[str, Any]]:
    memories, records = {}, {}
    for name, probe in probes.items():
        with named(name):
            memory, records[name] = probe.emit(carry.memories[name], transition)
            memories[name] = alike(memory, carry.memories[name])
    return Carry(carry.x, memories), records


def _follow(probes: Probes, carry: Carry, transition: Transition) -> Carry:
    memories = {}
    for name, probe in probes.items():
        with named(name):
            memories[name] = alike(probe.update(carry.memories[name], transition), carry.memories[name])
    return Carry(alike(transition.y, carry.x), memories)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Puts a probe's name in front of what it objects to."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"probe '{name}': {error}") from error


def _strong(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.result_type(leaf)), tree)
