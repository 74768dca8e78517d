"""Lyapunov exponents from the tangent space."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._probe import Cost, Probe, delayed
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition
from chaosjax.probes._frames import (
    Frame,
    Reseeded,
    Schedule,
    Watched,
    absorb,
    compared,
    random_frame,
    reseeded,
    watched,
)


def lyapunov(
    k: int = 1,
    every: int = 1,
    piecewise: bool = False,
    *,
    start: int = 0,
    reseed: int | None = None,
    staggered: bool = True,
    witness: int | None = None,
) -> Probe:
    """Growth of k tangent vectors under the step's Jacobian, orthonormalised by QR: Benettin's algorithm.

    ``J Qᵀ = Q'ᵀ R``; the record is ``Σ ln|R_ii|`` over the steps since the last one, in nats, ``[exponent]``, and 0
    at the first. Its sum over a window (t₀, t₁] divided by t₁ − t₀ is the finite-time exponent λ_i of that
    window, in nats per step (`stats.finite_time_exponents`). The frame starts in a random direction of the whole phase
    space, optimizer state included, and needs some steps to align. Schedules and Adam's bias correction make
    the map non-autonomous; so is every driven map: these are finite-time exponents.

    NaN while training goes on means a step without a finite derivative: Adam has none where a gradient is exactly 0,
    unless it is given an ``eps_root``.

    A frame that was made long ago knows nothing of a direction that has contracted since: below ``1/ε`` of the frame
    (ε the rounding of the dtype) the direction is made of rounding, and what it grows by later, up to ``ln 1/ε``, is
    missing (36 nats in float64, 16 in float32). So windows that begin late need younger frames:

    - ``start=4000``: the frame is made from x(4000); before, the record is NaN.
    - ``reseed=R``: a fresh random frame every R steps, and two of them at a time. Each aligns beside the other for R
      steps and is recorded in the next R. Record ``_known``, ``[exponent]``: false in the first R steps and where the
      younger frame outgrew the older, in the second half of its R steps, by more than two nats and more than a
      quarter (the volumes of the first i or i − 1 vectors): the growth recorded then is too small, not small.
    - ``reseed=R, staggered=False``: a single frame, which is replaced: the growth of fresh random perturbations. The
      first steps after each R belong to a frame that is not aligned, some ``½ ln d`` nats less. No flag.
    - ``witness=R``: the first frame is kept and recorded; a fresh one beside it, every R steps, says in ``_known``
      whether it still knows.

    What turns unstable is met by the next fresh frame, and seen once it has grown by some ``½ ln d + 2`` nats: the flag
    comes that late, at most 1.5 R steps. What is lost and found again within R steps is missed by both.

    Cost: one linearization and k Jacobian-vector products per step (2k with two frames), memory k·d numbers (2k·d).
    Float32 is enough: no small radius is involved.

    Args:
        k: number of exponents, at most the dimension of the phase space.
        every: steps between orthonormalisations. Vectors must neither overflow nor become parallel in between:
            1 is safe, 5–10 saves QR time at large k. A record always orthonormalises.
        piecewise: accept a step that jumps (sign, argmax, round, conversions to integers): the exponent is then that
            of the smooth pieces, and says nothing of the jumps.
        start: the time at which the first frame is made.
        reseed: steps between fresh frames: long enough to align in, short against what is to be resolved in time.
        staggered: two frames at a time, so that the recorded one is always aligned.
        witness: steps between fresh frames that watch over the first.

    Raises:
        ValueError: for k or `every` below 1, k above the dimension, `start` below 0, `reseed` or `witness` below 2,
            both of them, or a step that jumps.

    Source: Benettin, Galgani, Giorgilli, Strelcyn, Meccanica 15 (1980) 9; Shimada, Nagashima (1979).
    """
    return delayed(start, undelayed(k, every, piecewise, start, reseed, staggered, witness))


def undelayed(
    k: int = 1,
    every: int = 1,
    piecewise: bool = False,
    start: int = 0,
    reseed: int | None = None,
    staggered: bool = True,
    witness: int | None = None,
) -> Probe:
    """`lyapunov` for what wraps it in `delayed` with more: `start` only sets the clock of fresh frames."""
    k = check_count("k", k, what="number of exponents")
    every = check_count("every", every, what="steps between orthonormalisations")
    if reseed is not None and witness is not None:
        raise ValueError(f"lyapunov: reseed={reseed} and witness={witness}: give one; witness keeps the first frame")
    attrs = {
        "long_name": "tangent growth since the last record",
        "units": "nats",
        "k": k,
        "every_steps": every,
    }
    if reseed is None and witness is None:
        return _plain(k, every, piecewise)._replace(attrs=attrs)
    name, interval = ("reseed", reseed) if witness is None else ("witness", witness)
    interval = check_count(name, interval, least=2, what="steps between fresh frames")
    schedule = Schedule(every, interval, handover=witness is None)
    two = staggered or witness is not None
    made = (_two_frames if two else _one_frame)(k, schedule, piecewise, start)
    entries = {"entries": {"known": {"long_name": "the frame could know its growth", "units": "1"}}} if two else {}
    return made._replace(attrs={**attrs, f"{name}_steps": interval, "staggered": two, **entries})


def reported(m: Any) -> Float[Array, "k d"]:
    """The vectors that the memory of an `undelayed` probe reports on."""
    return (m if isinstance(m, Frame) else m.frame).vectors


def _first(key: PRNGKeyArray, x: PyTree, k: int) -> Frame:
    u, _ = phase(x)
    if k > u.size:
        raise ValueError(f"lyapunov: k={k} exceeds the dimension {u.size} of the phase space")
    return random_frame(key, jnp.zeros((k, u.size), u.dtype))


def _pushed(transition: Transition, piecewise: bool) -> Any:
    if not piecewise:
        transition.require_differentiable()
    return transition.pushed


def _plain(k: int, every: int, piecewise: bool) -> Probe:
    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Frame:
        return _first(key, x, k)

    def update(m: Frame, transition: Transition) -> Frame:
        pushed = m._replace(vectors=_pushed(transition, piecewise)(m.vectors))
        if every == 1:
            return absorb(pushed)
        return lax.cond((transition.t + 1) % every == 0, absorb, lambda m: m, pushed)

    def emit(m: Frame, transition: Transition) -> tuple[Frame, Float[Array, " k"]]:
        m = m if every == 1 else absorb(m)
        return m._replace(growth=jnp.zeros_like(m.growth)), m.growth

    return Probe(init, update, emit, dims=("exponent",), cost=Cost(tangents=k))


def _one_frame(k: int, schedule: Schedule, piecewise: bool, start: int) -> Probe:
    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Reseeded:
        return Reseeded(_first(key, x, k), jnp.int32(1), key)

    def update(m: Reseeded, transition: Transition) -> Reseeded:
        return reseeded(m, _pushed(transition, piecewise), transition.t + 1 - start, schedule)

    def emit(m: Reseeded, transition: Transition) -> tuple[Reseeded, Float[Array, " k"]]:
        frame = m.frame if schedule.every == 1 else absorb(m.frame)
        return m._replace(frame=frame._replace(growth=jnp.zeros_like(frame.growth))), frame.growth

    return Probe(init, update, emit, dims=("exponent",), cost=Cost(tangents=k))


def _two_frames(k: int, schedule: Schedule, piecewise: bool, start: int) -> Probe:
    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Watched:
        first = _first(key, x, k)
        beside = random_frame(jax.random.fold_in(key, 1), first.vectors)
        no = jnp.zeros(k, bool)
        return Watched(first, beside, first.growth, first.growth, no, no, jnp.int32(2), key)

    def update(m: Watched, transition: Transition) -> Watched:
        return watched(m, _pushed(transition, piecewise), transition.t + 1 - start, schedule)

    def emit(m: Watched, transition: Transition) -> tuple[Watched, dict[str, Array]]:
        m = m if schedule.every == 1 else compared(m, transition.t - start, schedule)
        record = {"": m.frame.growth, "known": m.all_known & jnp.isfinite(m.frame.growth)}
        frame = m.frame._replace(growth=jnp.zeros_like(m.frame.growth))
        return m._replace(frame=frame, all_known=jnp.ones_like(m.all_known)), record

    return Probe(init, update, emit, dims=dict.fromkeys(("", "known"), ("exponent",)), cost=Cost(tangents=2 * k))
