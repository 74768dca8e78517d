"""Covariant Lyapunov vectors: the directions that the tangent dynamics maps onto themselves."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._cell import Carry, advance, start
from chaosjax._linalg import unbatched
from chaosjax._probe import Probe
from chaosjax._system import System, Theta, phase
from chaosjax._transition import Transition


class Covariant(NamedTuple):
    """Covariant Lyapunov vectors v_j(t), j = 1 … k, at t = transient … transient + steps − 1, in nats and radians.

    Attributes:
        growth: ``ln ‖J(x_t) v_j(t)‖``.
        exponents: its mean over time.
        orthogonal_growth: ``ln |R_jj|`` of the forward QR pass, whose mean is Benettin's exponent.
        angles: with `unstable` = u, one column: the smallest angle between the spans of v_1 … v_u and of
            v_{u+1} … v_k; else k − 1 columns: the angles between the lines v_j and v_{j+1}. From 0 to π/2.
        ambiguity: the angle between v_j from two random starts of the backward pass, at the last of these times,
            where it is largest. Not small: `backward` is too short, or the exponent is degenerate and no single
            v_j exists (the span of all that share it does). Says nothing of `transient`: v_1 is always 0.
        replay_error: the largest difference between a coordinate of a stored frame and the same one recomputed
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


class _Backward(NamedTuple):
    """The state of the backward pass: two sets of coordinates in the frames, the frame due next, what is kept."""

    coordinates: Float[Array, "k 2*k"]
    frame: Float[Array, "k d"]
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
    """The first k covariant Lyapunov vectors along an orbit, by Ginelli's algorithm.

    ``J(x_t) v_j(t) = exp(g_j(t)) v_j(t + 1)``. Forward: frames ``J_t Q_t = Q_{t+1} R_t``. Backward:
    ``C_t ∝ R_t⁻¹ C_{t+1}`` with columns of length 1, from random upper triangular C; then ``v_j(t) = Q_t C_t e_j``.
    Errors fall by ``exp(−(λ_j − λ_{j+1}))`` a step, through `transient` steps for Q and `backward` steps for C.
    Growth and angles need only C, k × k. With ``key = jax.random.key(seed)`` the orbit is that of a sweep's cell
    under its default noise. An orbit that leaves the finite numbers at any time, or a singular R_t, makes NaN of
    all that lies before it.

    Cost: two linearizations, 2k Jacobian-vector products and two QR a step; memory for ``checkpoint_every`` matrices
    k × k, as many frames k × d as there are checkpoints, and with `vectors_at` ``checkpoint_every`` frames more.

    Args:
        key: of the first phase point and frame.
        theta: the control parameters, all of them.
        k: number of vectors, at most the dimension of the phase space.
        transient: steps before the first vector, in which the frame aligns.
        steps: number of times at which vectors are wanted.
        backward: steps behind the last of them, in which the backward pass converges.
        unstable: number of vectors on the unstable side of the hyperbolicity angle, from 1 to k − 1.
        vectors_at: times t at which the vectors themselves are kept.
        checkpoint_every: steps between stored frames, about the square root of steps + backward by default.
        noise_key: key of the noise; None is a sweep's default.

    Raises:
        ValueError: for k, `unstable`, a number of steps or a time out of range, or a step that jumps.

    Source: Ginelli et al., Phys. Rev. Lett. 99 (2007) 130601; J. Phys. A 46 (2013) 254005.
    """
    _check(k, transient, steps, backward, unstable, vectors_at, checkpoint_every)
    noise_key = jax.random.key(0) if noise_key is None else noise_key
    total, every = steps + backward, checkpoint_every or math.isqrt(steps + backward - 1) + 1
    probes = {"frame": _frames(k, bool(vectors_at))}

    def segment(carry: Carry, t0: Array) -> tuple[Carry, dict]:
        carry, records = advance(system, probes, carry, t0, theta, noise_key, blocks=every, stride=1)
        return carry, records["frame"]

    carry = start(system, probes, key, theta)
    if transient:
        carry, _ = advance(system, probes, carry, 0, theta, noise_key, blocks=1, stride=transient)
    begins = transient + every * jnp.arange(-(-total // every), dtype=jnp.int32)
    last, checkpoints = lax.scan(lambda carry, t0: (segment(carry, t0)[0], carry), carry, begins)

    def backward_segment(state: _Backward, inputs: tuple[Array, Carry]):
        t0, checkpoint = inputs
        end, frames = segment(checkpoint, t0)
        # a record shows the R that led to its time
        frames["R"] = jnp.concatenate([frames["R"][1:], end.memories["frame"].R[None]])
        error = jnp.max(jnp.abs(end.memories["frame"].vectors - state.frame))
        state = state._replace(
            frame=checkpoint.memories["frame"].vectors, replay_error=jnp.maximum(state.replay_error, error)
        )
        times = t0 + jnp.arange(every, dtype=jnp.int32)
        return lax.scan(backward_step, state, (times, frames), reverse=True)

    def backward_step(state: _Backward, inputs: tuple[Array, dict[str, Array]]):
        t, frame = inputs
        coordinates, growth = _pull(frame["R"], state.coordinates)
        # the last segment may reach behind the end of the backward pass
        coordinates = jnp.where(t < transient + total, coordinates, state.coordinates)
        state = _keep(state._replace(coordinates=coordinates), t, frame, vectors_at)
        C, other = coordinates[:, :k], coordinates[:, k:]
        orthogonal = jnp.log(jnp.abs(jnp.diagonal(frame["R"])))
        angles = _line_angles(C[:, :-1], C[:, 1:]) if unstable is None else _span_angle(C, unstable)
        return state, (growth[:k], orthogonal, angles, _line_angles(C, other))

    frame = last.memories["frame"].vectors
    state = _Backward(
        coordinates=_random_triangles(jax.random.fold_in(key, 1), k, frame.dtype),
        frame=frame,
        replay_error=jnp.zeros((), frame.dtype),
        vectors=jnp.full((len(vectors_at), *frame.shape), jnp.nan, frame.dtype),
        points=jnp.full((len(vectors_at), frame.shape[1]), jnp.nan, frame.dtype),
    )
    state, records = lax.scan(backward_segment, state, (begins, checkpoints), reverse=True)
    growth, orthogonal, angles, ambiguity = (leaf.reshape(-1, leaf.shape[-1])[:steps] for leaf in records)
    return Covariant(
        growth,
        growth.mean(axis=0),
        orthogonal,
        angles,
        ambiguity[-1],
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
        vectors, R = unbatched(jnp.linalg.qr)(jax.vmap(transition.push)(m.vectors).T)
        return _Frame(vectors.T, R)

    def emit(m: _Frame, transition: Transition):
        kept = {"vectors": m.vectors, "point": phase(transition.x)[0]} if with_vectors else {}
        return m, {"R": m.R, **kept}

    return Probe(init, update, emit)


def _pull(R: Float[Array, "k k"], C: Float[Array, "k m"]) -> tuple[Float[Array, "k m"], Float[Array, " m"]]:
    """Columns one step back, of length 1, and the logarithms of what they grow by in that step."""
    both = unbatched(lambda both: solve_triangular(both[:, : len(R)], both[:, len(R) :]))(jnp.concatenate([R, C], 1))
    lengths = jnp.linalg.norm(both, axis=0)
    return both / lengths[None], -jnp.log(lengths)


def _keep(state: _Backward, t: Array, frame: dict[str, Array], vectors_at: Sequence[int]) -> _Backward:
    if not len(vectors_at):
        return state
    k = state.frame.shape[0]
    wanted = jnp.asarray(np.asarray(vectors_at), jnp.int32) == t

    def keep(state: _Backward) -> _Backward:
        vectors = state.coordinates[:, :k].T @ frame["vectors"]
        return state._replace(
            vectors=jnp.where(wanted[:, None, None], vectors[None], state.vectors),
            points=jnp.where(wanted[:, None], frame["point"][None], state.points),
        )

    return lax.cond(jnp.any(wanted), keep, lambda state: state, state)


def _random_triangles(key: PRNGKeyArray, k: int, dtype: jnp.dtype) -> Float[Array, "k 2*k"]:
    C = jnp.triu(jax.random.normal(key, (2, k, k), dtype))
    C = jnp.concatenate([C[0], C[1]], axis=1)
    return C / jnp.linalg.norm(C, axis=0)[None]


def _line_angles(a: Float[Array, "k m"], b: Float[Array, "k m"]) -> Float[Array, " m"]:
    """Angles between lines along unit columns: Kahan's formula, exact to rounding for small angles too."""
    difference, total = jnp.linalg.norm(a - b, axis=0), jnp.linalg.norm(a + b, axis=0)
    return 2 * jnp.arctan2(jnp.minimum(difference, total), jnp.maximum(difference, total))


def _span_angle(C: Float[Array, "k k"], unstable: int) -> Float[Array, " 1"]:
    """The smallest principal angle: C is triangular, so the unstable span is that of the first unit vectors."""
    stable, _ = unbatched(jnp.linalg.qr)(C[:, unstable:])
    singular_values = unbatched(lambda block: jnp.linalg.svd(block, compute_uv=False))
    sine, cosine = singular_values(stable[unstable:])[-1], singular_values(stable[:unstable])[0]
    return jnp.arctan2(sine, cosine)[None]


def _check(k, transient, steps, backward, unstable, vectors_at, checkpoint_every) -> None:
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
            f"covariant_vectors: vectors_at has t={outside[0]!r}; times run from {transient} on, {steps} of them"
        )
