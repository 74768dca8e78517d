"""Lyapunov exponents from the tangent space."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._linalg import unbatched
from chaosjax._probe import Cost, Probe
from chaosjax._system import Theta, phase
from chaosjax._transition import Transition


class Frame(NamedTuple):
    """k tangent vectors and the logarithm of what they have grown by since the last record."""

    vectors: Float[Array, "k d"]
    growth: Float[Array, " k"]


def lyapunov(k: int = 1, every: int = 1, piecewise: bool = False) -> Probe:
    """Growth of k tangent vectors under the step's Jacobian, orthonormalised by QR: Benettin's algorithm.

    ``J Qᵀ = Q'ᵀ R``; the record is ``Σ ln|R_ii|`` over the steps since the last one, in nats, ``[exponent]``, and 0
    at the first. Its sum over a window (t₀, t₁] divided by t₁ − t₀ is the finite-time exponent λ_i of that
    window, in nats per step (`stats.finite_time_exponents`). The frame starts in a random direction of the whole phase
    space, optimizer state included, and needs some steps to align. Schedules and Adam's bias correction make
    the map non-autonomous; so is every driven map: these are finite-time exponents.

    NaN while training goes on means a step without a finite derivative: Adam has none where a gradient is exactly 0,
    unless it is given an ``eps_root``.

    A frame that was made long ago may know nothing of a direction that has since contracted below rounding: for a
    window that begins late, ``delayed(start, lyapunov())`` makes it there.

    Cost: one linearization and k Jacobian-vector products per step, memory k·d numbers. Float32 is enough: no
    small radius is involved.

    Args:
        k: number of exponents, at most the dimension of the phase space.
        every: steps between orthonormalisations. Vectors must neither overflow nor become parallel in between:
            1 is safe, 5–10 saves QR time at large k. A record always orthonormalises.
        piecewise: accept a step that jumps (sign, argmax, round, conversions to integers): the exponent is then that
            of the smooth pieces, and says nothing of the jumps.

    Raises:
        ValueError: for k or `every` below 1, k above the dimension, or a step that jumps.

    Source: Benettin, Galgani, Giorgilli, Strelcyn, Meccanica 15 (1980) 9; Shimada, Nagashima (1979).
    """
    k = check_count("k", k, what="number of exponents")
    every = check_count("every", every, what="steps between orthonormalisations")

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> Frame:
        u, _ = phase(x)
        if k > u.size:
            raise ValueError(f"lyapunov: k={k} exceeds the dimension {u.size} of the phase space")
        vectors, _ = _orthonormalise(jax.random.normal(key, (k, u.size), u.dtype))
        return Frame(vectors, jnp.zeros(k, u.dtype))

    def update(m: Frame, transition: Transition) -> Frame:
        if not piecewise:
            transition.require_differentiable()
        pushed = m._replace(vectors=jax.vmap(transition.push)(m.vectors))
        if every == 1:
            return _absorb(pushed)
        return lax.cond((transition.t + 1) % every == 0, _absorb, lambda m: m, pushed)

    def emit(m: Frame, transition: Transition) -> tuple[Frame, Float[Array, " k"]]:
        m = m if every == 1 else _absorb(m)
        return m._replace(growth=jnp.zeros_like(m.growth)), m.growth

    return Probe(
        init,
        update,
        emit,
        dims=("exponent",),
        attrs={
            "long_name": "tangent growth since the last record",
            "units": "nats",
            "k": k,
            "every_steps": every,
        },
        cost=Cost(tangents=k),
    )


def _absorb(m: Frame) -> Frame:
    vectors, growth = _orthonormalise(m.vectors)
    return Frame(vectors, m.growth + growth)


def _orthonormalise(vectors: Float[Array, "k d"]) -> tuple[Float[Array, "k d"], Float[Array, " k"]]:
    """Rows made orthonormal, and the logarithms of the lengths they had orthogonal to the rows before them."""
    if vectors.shape[0] == 1:
        length = jnp.linalg.norm(vectors)
        return vectors / length, jnp.log(length)[None]
    Q, R = unbatched(jnp.linalg.qr)(vectors.T)
    return Q.T, jnp.log(jnp.abs(jnp.diagonal(R)))
