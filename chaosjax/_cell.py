"""One cell of a sweep: its start, one block of its time loop, and its records."""

import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Int, PRNGKeyArray, PyTree

from chaosjax._checks import arrays_only, blamed
from chaosjax._members import Members
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
    with blamed("the system's init"):
        x = _strong(system.init(jax.random.fold_in(key, 0), theta), "the first phase point")
    if any(jnp.issubdtype(leaf.dtype, jnp.complexfloating) for leaf in jax.tree.leaves(x)):
        raise ValueError("the phase point has complex leaves; keep real and imaginary parts as float leaves")
    memories = {}
    for name, probe in probes.items():
        with named(name):
            own_key = jax.random.fold_in(key, zlib.crc32(name.encode()))
            memories[name] = _strong(probe.init(own_key, x, {**probe.theta, **theta}), "its first memory")
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
    members = {name: _members(name, probe, carry) for name, probe in probes.items() if probe.members is not None}
    linearized = any(probe.cost.tangents and probe.cost.start == 0 for probe in probes.values())
    return Transition(system, t, carry.x, theta, noise_key, members, linearized)


def _emit(probes: Probes, carry: Carry, transition: Transition) -> tuple[Carry, dict[str, Any]]:
    memories, records = {}, {}
    for name, probe in probes.items():
        with named(name):
            emitted: Any = probe.emit(carry.memories[name], transition)
            if not isinstance(emitted, tuple) or len(emitted) != 2:
                raise TypeError(f"emit must return the pair (memory, record), not a {type(emitted).__name__}")
            memory, records[name] = emitted[0], arrays_only(emitted[1], "its record")
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


def named(name: str) -> AbstractContextManager[None]:
    """Put a probe's name in front of what it objects to."""
    return blamed(f"probe '{name}'")


def _members(name: str, probe: Probe, carry: Carry) -> Members:
    """The members of a probe, each of which must be a phase point."""
    with named(name):
        members: Any = probe.members(carry.memories[name]) if probe.members is not None else None
        if not isinstance(members, Members):
            raise TypeError(f"members must return a Members, not a {type(members).__name__}")
        fit = jax.tree.structure(members.points) == jax.tree.structure(carry.x)
        shapes, own = ([jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (members.points, carry.x))
        if not fit or [shape[1:] for shape in shapes] != own or len({shape[:1] for shape in shapes}) > 1:
            raise ValueError(f"members have leaves of shapes {shapes}; they need those of x behind one axis of members")
        return members


def _strong(tree: PyTree, what: str) -> PyTree:
    arrays_only(tree, what)
    return jax.tree.map(lambda leaf: lax.convert_element_type(leaf, jnp.result_type(leaf)), tree)
