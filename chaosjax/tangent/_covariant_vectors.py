"""Covariant Lyapunov vectors: the directions that the tangent dynamics maps onto themselves."""

import math
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._cell import Carry, advance, start
from chaosjax._linalg import unbatched
from chaosjax._probe import Probe
from chaosjax._system import System, Theta, phase
from chaosjax._transition import Transition
from chaosjax.tangent._backward_pass import Backward, Records, backward_step, first_backward


class Covariant(NamedTuple):
    """Covariant Lyapunov vectors v_j(t), j = 1 … k, at t = transient … transient + steps − 1.

    Attributes:
        growth: ``ln ‖J(x_t) v_j(t)‖``, in nats.
        exponents: its mean over time, in nats per step.
        orthogonal_growth: ``ln |R_jj|`` of the forward QR pass in nats, whose mean is Benettin's exponent.
        angles: with `unstable` = u, one column: the smallest angle between the spans of v_1 … v_u and of
            v_{u+1} … v_k; else k − 1 columns: the angles between the lines v_j and v_{j+1}. In radians, from 0 to π/2.
        ambiguity: the angle between v_j from two random starts of the backward pass, at the last of these times,
            where it is largest. If it is not small, `backward` is too short, or the exponent is degenerate and no
            single v_j exists (the span of all that share it does). It does not tell whether `transient` is long
            enough, and for v_1 it is always 0.
        replay_error: the largest difference between a coordinate of a stored frame and the same coordinate recomputed
            from the checkpoint before; 0 where the device repeats itself bit by bit.
        vectors: v_j at `vectors_at`.
        points: the phase point there, in the coordinates of `phase`.
    """

    growth: Float[Array, "steps k"]
    exponents: Float[Array, " k"]
    orthogonal_growth: Float[Array, "steps k"]
    angles: Float[Array, "steps pairs"]
    ambiguity: Float[Array, " k"]
    replay_error: Float[Array, ""]
    vectors: Float[Array, "times k d"]
    points: Float[Array, "times d"]


def covariant_vectors(
    system: System,
    key: PRNGKeyArray,
    theta: Theta,
    *,
    k: int,
    transient: int,
    steps: int,
    backward: int,
    unstable: int | None = None,
    vectors_at: Sequence[int] = (),
    checkpoint_every: int | None = None,
    noise_key: PRNGKeyArray | None = None,
) -> Covariant:
    """Find the first k covariant Lyapunov vectors along an orbit, by Ginelli's algorithm.

    ``J(x_t) v_j(t) = exp(g_j(t)) v_j(t + 1)``. Forward: frames ``J_t Q_t = Q_{t+1} R_t``. Backward:
    ``C_t ∝ R_t⁻¹ C_{t+1}`` with columns of length 1, from random upper triangular C; then ``v_j(t) = Q_t C_t e_j``.
    Errors fall by ``exp(−(λ_j − λ_{j+1}))`` per step, through `transient` steps for Q and `backward` steps for C.
    Growth and angles need only C, k × k. With ``key = jax.random.key(seed)`` the orbit is that of a sweep's cell
    under its default noise.

    Args:
        system: the map.
        key: of the first phase point and frame.
        theta: the control parameters, all of them.
        k: number of vectors, at most the dimension of the phase space.
        transient: steps before the first vector, in which the frame aligns.
        steps: number of times at which vectors are wanted.
        backward: steps after the last of them, in which the backward pass converges.
        unstable: number of vectors on the unstable side of the hyperbolicity angle, from 1 to k − 1.
        vectors_at: times t at which the vectors themselves are kept.
        checkpoint_every: steps between stored frames, about the square root of steps + backward by default.
        noise_key: key of the noise; None is a sweep's default.

    Returns:
        Growth, angles and, at `vectors_at`, vectors. Where the orbit leaves the finite numbers, or an R_t is
        singular, all before that time is NaN.

    Raises:
        ValueError: for k, `unstable`, a number of steps or a time out of range, or a step that jumps.

    Cost: two linearizations, 2k Jacobian-vector products and two QR per step; memory for ``checkpoint_every`` matrices
    k × k, as many frames k × d as there are checkpoints, and with `vectors_at` ``checkpoint_every`` frames more.

    Source: Ginelli et al., Phys. Rev. Lett. 99 (2007) 130601; J. Phys. A 46 (2013) 254005.
    """
    _check(k, transient, steps, backward, unstable, vectors_at, checkpoint_every)
    noise_key = jax.random.key(0) if noise_key is None else noise_key
    total, every = steps + backward, checkpoint_every or math.isqrt(steps + backward - 1) + 1
    probes = {"frame": _frames(k, bool(vectors_at))}

    def segment(carry: Carry, t0: Int[Array, ""]) -> tuple[Carry, dict[str, Array]]:
        carry, records = advance(system, probes, carry, t0, theta, noise_key, blocks=every, stride=1)
        return carry, records["frame"]

    carry = start(system, probes, key, theta)
    if transient:
        carry, _ = advance(system, probes, carry, 0, theta, noise_key, blocks=1, stride=transient)
    begins = transient + every * jnp.arange(-(-total // every), dtype=jnp.int32)
    last, checkpoints = lax.scan(lambda carry, t0: (segment(carry, t0)[0], carry), carry, begins)

    def backward_segment(state: Backward, inputs: tuple[Int[Array, ""], Carry]) -> tuple[Backward, Records]:
        t0, checkpoint = inputs
        end, frames = segment(checkpoint, t0)
        # a record shows the R that led to its time
        frames["R"] = jnp.concatenate([frames["R"][1:], end.memories["frame"].R[None]])
        error = jnp.max(jnp.abs(end.memories["frame"].vectors - state.frame))
        state = state._replace(
            frame=checkpoint.memories["frame"].vectors, replay_error=jnp.maximum(state.replay_error, error)
        )
        times = t0 + jnp.arange(every, dtype=jnp.int32)
        step = partial(backward_step, stop=transient + total, unstable=unstable, vectors_at=vectors_at)
        return lax.scan(step, state, (times, frames), reverse=True)

    state = first_backward(key, last.memories["frame"].vectors, len(vectors_at))
    state, records = lax.scan(backward_segment, state, (begins, checkpoints), reverse=True)
    records = Records(*(leaf.reshape(-1, leaf.shape[-1])[:steps] for leaf in records))
    return Covariant(
        records.growth,
        records.growth.mean(axis=0),
        records.orthogonal_growth,
        records.angles,
        records.ambiguity[-1],
        state.replay_error,
        state.vectors,
        state.points,
    )


class _Frame(NamedTuple):
    vectors: Float[Array, "k d"]
    R: Float[Array, "k k"]


def _frames(k: int, with_vectors: bool) -> Probe:
    """The frame of k vectors; its records are the R of the last step and, if wanted, the frame and the point."""

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> _Frame:
        u, _ = phase(x)
        if k > u.size:
            raise ValueError(f"covariant_vectors: k={k} exceeds the dimension {u.size} of the phase space")
        vectors, R = unbatched(jnp.linalg.qr)(jax.random.normal(key, (u.size, k), u.dtype))
        return _Frame(vectors.T, R)

    def update(m: _Frame, transition: Transition) -> _Frame:
        transition.require_differentiable()
        vectors, R = unbatched(jnp.linalg.qr)(transition.pushed(m.vectors).T)
        return _Frame(vectors.T, R)

    def emit(m: _Frame, transition: Transition) -> tuple[_Frame, dict[str, Array]]:
        kept = {"vectors": m.vectors, "point": phase(transition.x)[0]} if with_vectors else {}
        return m, {"R": m.R, **kept}

    return Probe(init, update, emit)


def _check(
    k: int,
    transient: int,
    steps: int,
    backward: int,
    unstable: int | None,
    vectors_at: Sequence[int],
    checkpoint_every: int | None,
) -> None:
    every = 1 if checkpoint_every is None else checkpoint_every
    least = {"k": (k, 1), "transient": (transient, 0), "steps": (steps, 1), "backward": (backward, 0)}
    for name, (value, smallest) in {**least, "checkpoint_every": (every, 1)}.items():
        if value != int(value) or value < smallest:
            raise ValueError(f"covariant_vectors: {name}={value!r} must be an integer of at least {smallest}")
    if unstable is not None and not (unstable == int(unstable) and 1 <= unstable < k):
        raise ValueError(f"covariant_vectors: unstable={unstable!r} must be an integer from 1 to k - 1 = {k - 1}")
    outside = [t for t in vectors_at if not (t == int(t) and transient <= t < transient + steps)]
    if outside:
        raise ValueError(
            f"covariant_vectors: vectors_at has t={outside[0]!r}; times run from {transient} to {transient + steps - 1}"
        )
