"""One cell of a sweep: its start, one block of its time loop, and its records."""

import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from chaosjax._probe import Probe
from chaosjax._system import System, Theta, alike, traced_once
from chaosjax._transition import Transition

Probes = Mapping[str, Probe]


class Carry(NamedTuple):
    """The state of a cell: the phase point and every probe's memory. The clock and the noise are not in it."""

    x: PyTree
    memories: dict[str, PyTree]


def start(system: System, probes: Probes, key: PRNGKeyArray, theta: Theta) -> Carry:
    """Make the first phase point and the probes' first memories.

    A probe's random numbers depend on the key and the probe's name alone, so adding a probe changes no other.

    Raises:
        ValueError: for a phase point with complex coordinates, or a probe's own objection.
    """
    x = _strong(system.init(jax.random.fold_in(key, 0), theta))
    if any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in jax.tree.leaves(x)):
        raise ValueError("the phase point has complex leaves; keep real and imaginary parts as float leaves")
    memories = {}
    for name, probe in probes.items():
        with named(name):
            own_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
            memories[name] = _strong(probe.init(own_key, x, {**probe.theta, **theta}))
    return Carry(x, memories)


def block(
    system: System,
    probes: Probes,
    carry: Carry,
    t: Int[Array, ""],
    theta: Theta,
    noise_key: PRNGKeyArray,
    *,
    stride: int,
) -> tuple[Carry, dict[str, Any]]:
    """Record at t, then take `stride` steps: the body of every time loop.

    ``x[t+1] = step(x[t], theta, noise(noise_key, t))``. The record and the step from the same t share one
    `Transition`; the other steps only update, so nothing that a record needs is computed at a step without one.

    Returns:
        the carry at ``t + stride`` and the records at t, by probe name.
    """
    probes = _in_order(probes)

    def at(carry: Carry, t: Array) -> Transition:
        return _transition(system, probes, carry, t, theta, noise_key)

    transition = at(carry, t)
    _ = transition.y  # before any branch of a probe's: what is first computed in one would not exist outside
    recorded, records = _emit(probes, carry, transition)
    carry = _follow(probes, recorded, transition)
    if stride > 1:

        def step(carry: Carry, t: Array) -> tuple[Carry, None]:
            return _follow(probes, carry, at(carry, t)), None

        carry, _ = lax.scan(step, carry, t + jnp.arange(1, stride, dtype=jnp.int32))
    return carry, records


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
    """Run `blocks` blocks: a record at t = t0 + i·stride, then `stride` steps. Pure: jit, vmap, differentiate it.

    Returns:
        the carry at ``t0 + blocks·stride`` and the records by probe name, ``[blocks, ...]``. The record of
        that last time is `observe`'s.
    """

    once = traced_once(system)

    def one(carry: Carry, t: Array) -> tuple[Carry, dict[str, Any]]:
        return block(once, probes, carry, t, theta, noise_key, stride=stride)

    times = jnp.asarray(t0, jnp.int32) + stride * jnp.arange(blocks, dtype=jnp.int32)
    return lax.scan(one, carry, times)


def observe(
    system: System,
    probes: Probes,
    carry: Carry,
    t: Int[Array, ""] | int,
    theta: Theta,
    noise_key: PRNGKeyArray,
) -> dict[str, Any]:
    """Read the records at time t, without a step: the last entry of a run."""
    probes = _in_order(probes)
    transition = _transition(system, probes, carry, jnp.asarray(t, jnp.int32), theta, noise_key)
    return _emit(probes, carry, transition)[1]


def _in_order(probes: Probes) -> Probes:
    """By name, so that no order in which probes are given can change a bit."""
    return dict(sorted(probes.items()))


def _transition(
    system: System, probes: Probes, carry: Carry, t: Int[Array, ""], theta: Theta, noise_key: PRNGKeyArray
) -> Transition:
    members = {name: probe.members(carry.memories[name]) for name, probe in probes.items() if probe.members is not None}
    linearized = any(probe.cost.tangents and probe.cost.start == 0 for probe in probes.values())
    return Transition(system, t, carry.x, theta, noise_key, members, linearized)


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
            images = () if probe.members is None else (transition.images[name],)
            update: Any = probe.update
            memories[name] = alike(update(carry.memories[name], transition, *images), carry.memories[name])
    return Carry(alike(transition.y, carry.x), memories)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put a probe's name in front of what it objects to."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"probe '{name}': {error}") from error


def _strong(tree: PyTree) -> PyTree:
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.result_type(leaf)), tree)
