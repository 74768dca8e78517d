"""Frames of tangent vectors, and frames that are made anew on the way."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from chaosjax._linalg import orthonormalise

TOLERANCE, SHARE = 2.0, 0.25
"""Nats, and the share of its own growth, by which a fresh frame may outgrow the one reported: beyond both, that one is
said not to know the growth. Directions of about equal exponents differ by that much in a few steps."""

Pushed = Callable[[Float[Array, "k d"]], Float[Array, "k d"]]
"""The tangent map of a step, on rows."""


class Frame(NamedTuple):
    """k tangent vectors and the logarithm of what they have grown by since the last record."""

    vectors: Float[Array, "k d"]
    growth: Float[Array, " k"]


class Reseeded(NamedTuple):
    """A frame that is replaced by a random one now and then.

    Attributes:
        frame: what is reported.
        seeds: number of frames made so far.
        key: of the random frames.
    """

    frame: Frame
    seeds: Int[Array, ""]
    key: PRNGKeyArray


class Watched(NamedTuple):
    """A frame with a younger one beside it.

    Attributes:
        frame: what is reported.
        fresh: the younger frame.
        excess: by how much the volumes of the younger's first 1, 2, … k vectors have outgrown the other's in the
            second half of its time.
        grown: what these volumes have grown by there.
        known: what the last comparison said of each exponent.
        all_known: whether all comparisons since the last record said so.
        seeds: number of frames made so far.
        key: of the random frames.
    """

    frame: Frame
    fresh: Frame
    excess: Float[Array, " k"]
    grown: Float[Array, " k"]
    known: Bool[Array, " k"]
    all_known: Bool[Array, " k"]
    seeds: Int[Array, ""]
    key: PRNGKeyArray


class Schedule(NamedTuple):
    """When frames are orthonormalised and made anew, on the clock that starts with the first.

    Attributes:
        every: steps between orthonormalisations.
        reseed: steps between fresh frames.
        handover: the fresh frame becomes the reported one when the next is made.
    """

    every: int
    reseed: int
    handover: bool = True


def random_frame(key: PRNGKeyArray, like: Float[Array, "k d"]) -> Frame:
    """An orthonormal frame in random directions."""
    vectors, _ = orthonormalise(jax.random.normal(key, like.shape, like.dtype))
    return Frame(vectors, jnp.zeros(like.shape[0], like.dtype))


def absorb(m: Frame) -> Frame:
    """The frame made orthonormal, what it has grown by added to its growth."""
    vectors, growth = orthonormalise(m.vectors)
    return Frame(vectors, m.growth + growth)


def reseeded(m: Reseeded, push: Pushed, age: Int[Array, ""], schedule: Schedule) -> Reseeded:
    """A step of one frame; it is made anew where `age`, the steps since the first frame after this step, is due."""
    frame = m.frame._replace(vectors=push(m.frame.vectors))
    due = age % schedule.reseed == 0
    frame = lax.cond((age % schedule.every == 0) | due, absorb, lambda frame: frame, frame)

    def renew(m: Reseeded) -> Reseeded:
        made = random_frame(jax.random.fold_in(m.key, m.seeds), m.frame.vectors)
        return Reseeded(m.frame._replace(vectors=made.vectors), m.seeds + 1, m.key)

    return lax.cond(due, renew, lambda m: m, m._replace(frame=frame))


def watched(m: Watched, push: Pushed, age: Int[Array, ""], schedule: Schedule) -> Watched:
    """A step of both frames, the comparison, and the handover where it is due."""
    k = len(m.frame.vectors)
    vectors = push(jnp.concatenate([m.frame.vectors, m.fresh.vectors]))
    m = m._replace(frame=m.frame._replace(vectors=vectors[:k]), fresh=m.fresh._replace(vectors=vectors[k:]))
    due = age % schedule.reseed == 0
    m = lax.cond((age % schedule.every == 0) | due, lambda m: compared(m, age, schedule), lambda m: m, m)

    def renew(m: Watched) -> Watched:
        made = random_frame(jax.random.fold_in(m.key, m.seeds), m.frame.vectors)
        reported = m.fresh.vectors if schedule.handover else m.frame.vectors
        known = jnp.ones_like(m.known) if schedule.handover else m.known
        frame, zero = m.frame._replace(vectors=reported), jnp.zeros_like(m.excess)
        return m._replace(frame=frame, fresh=made, excess=zero, grown=zero, known=known, seeds=m.seeds + 1)

    return lax.cond(due, renew, lambda m: m, m)


def compared(m: Watched, age: Int[Array, ""], schedule: Schedule) -> Watched:
    """Both frames made orthonormal, and what their growth says of the older one."""
    frame, fresh = absorb(m.frame), absorb(m.fresh)
    young, old = (jnp.cumsum(now.growth - then.growth) for now, then in ((fresh, m.fresh), (frame, m.frame)))
    late = ((age - 1) % schedule.reseed) * 2 >= schedule.reseed
    excess = jnp.where(late, m.excess + young - old, m.excess)
    grown = jnp.where(late, m.grown + young, m.grown)
    verdict = excess <= jnp.maximum(TOLERANCE, SHARE * grown)
    verdict &= jnp.concatenate([verdict[:1], verdict[:-1]])
    if schedule.handover:  # the first frame aligns with none older beside it
        verdict &= age > schedule.reseed
    known = jnp.where(late, verdict, m.known)
    m = m._replace(frame=frame, fresh=fresh, excess=excess, grown=grown)
    return m._replace(known=known, all_known=m.all_known & known)
