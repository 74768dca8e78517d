"""Alignment of deviation vectors: GALI_k and SALI."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._linalg import unbatched
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition


class Deviations(NamedTuple):
    """k unit deviation vectors, as ``frame.T @ coordinates``, and the logarithm of the volume they span.

    Attributes:
        frame: an orthonormal basis of their flag, in rows.
        coordinates: upper triangular, columns of length 1.
        log_volume: ln GALI_k, kept apart from the triangle: its product of diagonal entries would underflow.
    """

    frame: Float[Array, "k d"]
    coordinates: Float[Array, "k k"]
    log_volume: Float[Array, ""]


def gali(k: int = 2, piecewise: bool = False) -> Probe:
    """The generalised alignment index of k unit deviation vectors v̂_i pushed by the step's Jacobian.

    ``GALI_k = ‖v̂_1 ∧ … ∧ v̂_k‖ = Π_i σ_i([v̂_1 … v̂_k])``. The record is ln GALI_k at time t, 0 at the first (the
    vectors start orthonormal, in random directions). For k = 2 the entry "sali" is the logarithm of the smaller
    alignment index, ``SALI = min(‖v̂_1 + v̂_2‖, ‖v̂_1 − v̂_2‖)``. On a chaotic orbit GALI_k falls as
    ``exp(−[(λ_1 − λ_2) + … + (λ_1 − λ_k)] t)``, so GALI_2 and SALI as ``exp(−(λ_1 − λ_2) t)``; on regular orbits of
    Hamiltonian systems and symplectic maps it stays of order 1 or falls as a power of t. Near a stable periodic
    orbit it also falls exponentially: it tells gaps of the spectrum, not the sign of λ_1.

    There is no floor. Unit vectors kept as such are parallel in rounding from GALI ≈ 1e-16 on; here they are
    columns of ``Qᵀ C`` with Q orthonormal and C triangular. A step takes ``J Qᵀ = Q'ᵀ R`` and ``C' = R C`` with its
    columns scaled back to length 1 by n_i, so ``Δ ln GALI_k = Σ_i ln|R_ii| − Σ_i ln n_i``, a sum without
    cancellation. Its error grows like that of a sum over t steps. A Jacobian that is singular in exact
    arithmetic gives −inf, one singular up to rounding a fall by some 36 nats in one step.

    Cost: one linearization, k Jacobian-vector products and a QR of [d, k] per step; memory k·d numbers.

    Args:
        k: number of vectors, from 2 to the dimension of the phase space.
        piecewise: accept a step that jumps, as in `lyapunov`.

    Raises:
        ValueError: for k below 2 or above the dimension, or a step that jumps.

    Source: Skokos, Bountis, Antonopoulos, Physica D 231 (2007) 30; SALI: Skokos, J. Phys. A 34 (2001) 10029.
    """
    k = check_count("k", k, least=2, what="number of vectors; one alone is never aligned")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Deviations:
        u, _ = phase(x)
        if k > u.size:
            raise ValueError(f"gali: k={k} exceeds the dimension {u.size} of the phase space")
        frame, _ = unbatched(jnp.linalg.qr)(jax.random.normal(key, (u.size, k), u.dtype))
        return Deviations(frame.T, jnp.eye(k, dtype=u.dtype), jnp.zeros((), u.dtype))

    def update(m: Deviations, transition: Transition) -> Deviations:
        if not piecewise:
            transition.require_differentiable()
        frame, R = unbatched(jnp.linalg.qr)(transition.pushed(m.frame).T)
        coordinates = R @ m.coordinates
        lengths = jnp.linalg.norm(coordinates, axis=0)
        change = jnp.sum(jnp.log(jnp.abs(jnp.diagonal(R)))) - jnp.sum(jnp.log(lengths))
        return Deviations(frame.T, coordinates / lengths[None], m.log_volume + change)

    def emit(m: Deviations, transition: Transition) -> tuple[Deviations, Array | dict[str, Array]]:
        if k > 2:
            return m, m.log_volume
        # with θ the angle between the lines, sin θ = GALI_2: 2 sin(θ/2) without the cancellation of 1 − cos θ
        cosine = jnp.abs(m.coordinates[:, 0] @ m.coordinates[:, 1])
        return m, {"": m.log_volume, "sali": m.log_volume + (math.log(2) - jnp.log1p(cosine)) / 2}

    return Probe(
        init,
        update,
        emit,
        dims={} if k == 2 else (),
        attrs={
            "long_name": f"logarithm of GALI_{k}" + (" and of SALI" if k == 2 else ""),
            "units": "nats",
            "k": k,
        },
        cost=Cost(tangents=k),
    )
