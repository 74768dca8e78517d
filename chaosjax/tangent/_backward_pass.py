"""The backward pass of Ginelli's algorithm: coordinates in the frames, and what is read off them."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Float, Int, PRNGKeyArray

from chaosjax._linalg import unbatched


class Backward(NamedTuple):
    """The state of the backward pass: two sets of coordinates in the frames, the frame due next, what is kept."""

    coordinates: Float[Array, "k 2*k"]
    frame: Float[Array, "k d"]
    replay_error: Float[Array, ""]
    vectors: Float[Array, "times k d"]
    points: Float[Array, "times d"]


class Records(NamedTuple):
    """What the backward pass reads at each time; with a leading axis of times once stacked."""

    growth: Float[Array, "*times k"]
    orthogonal_growth: Float[Array, "*times k"]
    angles: Float[Array, "*times pairs"]
    ambiguity: Float[Array, "*times k"]


def first_backward(key: PRNGKeyArray, frame: Float[Array, "k d"], times: int) -> Backward:
    """Two sets of random upper triangular coordinates, with columns of length 1."""
    k, d = frame.shape
    C = jnp.triu(jax.random.normal(jax.random.fold_in(key, 1), (2, k, k), frame.dtype))
    C = jnp.concatenate([C[0], C[1]], axis=1)
    return Backward(
        coordinates=C / jnp.linalg.norm(C, axis=0)[None],
        frame=frame,
        replay_error=jnp.zeros((), frame.dtype),
        vectors=jnp.full((times, k, d), jnp.nan, frame.dtype),
        points=jnp.full((times, d), jnp.nan, frame.dtype),
    )


def backward_step(
    state: Backward,
    inputs: tuple[Int[Array, ""], dict[str, Array]],
    *,
    stop: int,
    unstable: int | None,
    vectors_at: Sequence[int],
) -> tuple[Backward, Records]:
    """The coordinates at t from those at t + 1; unchanged from t = stop on, where the last segment may reach."""
    (t, frame), k = inputs, len(state.frame)
    coordinates, growth = _pull(frame["R"], state.coordinates)
    coordinates = jnp.where(t < stop, coordinates, state.coordinates)
    state = _keep(state._replace(coordinates=coordinates), t, frame, vectors_at)
    C, other = coordinates[:, :k], coordinates[:, k:]
    orthogonal = jnp.log(jnp.abs(jnp.diagonal(frame["R"])))
    angles = _line_angles(C[:, :-1], C[:, 1:]) if unstable is None else _span_angle(C, unstable)
    return state, Records(growth[:k], orthogonal, angles, _line_angles(C, other))


def _pull(R: Float[Array, "k k"], C: Float[Array, "k m"]) -> tuple[Float[Array, "k m"], Float[Array, " m"]]:
    """Columns one step back, of length 1, and the logarithms of what they grow by in that step."""
    both = unbatched(lambda both: solve_triangular(both[:, : len(R)], both[:, len(R) :]))(jnp.concatenate([R, C], 1))
    lengths = jnp.linalg.norm(both, axis=0)
    return both / lengths[None], -jnp.log(lengths)


def _keep(state: Backward, t: Array, frame: dict[str, Array], vectors_at: Sequence[int]) -> Backward:
    if not len(vectors_at):
        return state
    k = state.frame.shape[0]
    wanted = jnp.asarray(np.asarray(vectors_at), jnp.int32) == t

    def keep(state: Backward) -> Backward:
        vectors = state.coordinates[:, :k].T @ frame["vectors"]
        return state._replace(
            vectors=jnp.where(wanted[:, None, None], vectors[None], state.vectors),
            points=jnp.where(wanted[:, None], frame["point"][None], state.points),
        )

    return lax.cond(jnp.any(wanted), keep, lambda state: state, state)


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
