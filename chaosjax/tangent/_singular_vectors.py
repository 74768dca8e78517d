"""The perturbations that grow most over a given time: singular vectors of the finite-time propagator."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._jumps import require_differentiable
from chaosjax._linalg import unbatched
from chaosjax._system import System, Theta, phase

_PRODUCTS_A_CHECK = 5


class SingularTriplets(NamedTuple):
    """``M right_i = values_i left_i``, largest first.

    Attributes:
        values: growth factors σ_i; NaN, like their vectors, where the residual does not tell them from 0.
        right: initial directions, of length 1.
        left: final directions, of length 1.
        residuals: a singular value of M lies within it of each value: what is unconverged, plus the rounding floor
            ``eps · steps · σ_1`` below which no product with M can resolve anything.
        products: pushes through M, and as many pulls back.
    """

    values: Float[Array, " k"]
    right: Float[Array, "k d"]
    left: Float[Array, "k d"]
    residuals: Float[Array, " k"]
    products: Int[Array, ""]


class _Bidiagonal(NamedTuple):
    right: Float[Array, "m d"]
    left: Float[Array, "m d"]
    vector: Float[Array, " d"]  # the next right basis vector; 0 once the Krylov space is exhausted
    alpha: Float[Array, " m"]
    beta: Float[Array, " m"]
    rank: Int[Array, ""]
    products: Int[Array, ""]
    residuals: Float[Array, " k"]


def singular_vectors(
    system: System,
    x: PyTree,
    theta: Theta,
    noise_key: PRNGKeyArray,
    t0: Int[Array, ""] | int,
    steps: int,
    k: int = 1,
    *,
    max_products: int = 50,
    tolerance: float = 1e-6,
    first: Float[Array, " d"] | None = None,
) -> SingularTriplets:
    """The k leading singular triplets of the propagator ``M = J_{t0+steps−1} … J_{t0}`` from x, matrix-free.

    ``σ_1 = max ‖M v‖ / ‖v‖``: no perturbation of x grows by more than σ_1 in `steps` steps, and right_1 is the one
    that does. ``ln σ_i / steps`` is a finite-time exponent in nats per step, and an upper bound of Benettin's for
    i = 1. By Golub–Kahan bidiagonalisation with full reorthogonalisation, which works on M and not on MᵀM:
    values down to ``eps · steps · σ_1`` are resolved (σ_1/σ_i up to 1e12 or so in float64, 1e4 in float32), not
    only down to √eps σ_1. Smaller ones are NaN: take fewer steps, or `covariant` and `probes.lyapunov`, which work in
    logarithms. Where M overflows (a float64 growth of 709 nats, a float32 one of 88) all is NaN.

    The propagator is that of the orbit as computed: another rounding of a chaotic orbit changes its singular
    values by about eps · σ_1 of themselves, which no residual shows.

    Cost: each product is one push (steps × a jvp) and one pull (steps × a step and a vjp), some 6 to 8 plain
    runs of `steps`; gaps in the spectrum decide how many products it takes: few where growth is large. Memory:
    2·max_products·d numbers, and about 2·√steps phase points.

    Args:
        x: the phase point at t0.
        max_products: largest number of products, rounded up to a multiple of five, after which residuals say how
            far it got.
        tolerance: ends when every residual is at most ``tolerance · σ_1``.
        first: a start with a component along the directions looked for; random by default.

    Raises:
        ValueError: if steps is below 1, k exceeds the dimension or `max_products`, or the step jumps.

    Source: Golub, Kahan, SIAM J. Numer. Anal. 2 (1965) 205; Buizza, Palmer, J. Atmos. Sci. 52 (1995) 1434.
    """
    u, chart = phase(x)
    if steps != int(steps) or steps < 1:
        raise ValueError(f"singular_vectors: steps={steps!r} must be a positive integer")
    if not 1 <= k <= min(u.size, max_products):
        raise ValueError(
            f"singular_vectors: k={k} must be between 1 and {min(u.size, max_products)} (dimension {u.size}, "
            f"max_products {max_products})"
        )
    noise = system.noise(noise_key, jnp.asarray(t0, jnp.int32))
    require_differentiable(lambda u: phase(system.step(chart(u), theta, noise))[0], u)
    push, pull = _propagator(system, x, theta, noise_key, t0, steps)
    start = jax.random.normal(jax.random.key(0), u.shape, u.dtype) if first is None else first
    return _golub_kahan(push, pull, start, k, max_products, tolerance, steps * float(jnp.finfo(u.dtype).eps))


def _propagator(
    system: System, x: PyTree, theta: Theta, noise_key: PRNGKeyArray, t0: Int[Array, ""] | int, steps: int
) -> tuple[Callable, Callable]:
    """``v → M v`` and ``w → Mᵀ w`` along one orbit, of which a phase point in √steps is kept.

    Both replay the orbit from these points: computed afresh from x by two programs, a chaotic orbit would be two
    orbits, and the second product not the transpose of the first.
    """

    @jax.checkpoint
    def step(x: PyTree, t: Array) -> tuple[PyTree, None]:
        return system.step(x, theta, system.noise(noise_key, t)), None

    def along(x: PyTree, times: Array) -> tuple[Callable, Array]:
        u, chart = phase(x)
        return lambda u: phase(lax.scan(step, chart(u), times)[0])[0], u

    length = math.isqrt(steps)
    times = jnp.asarray(t0, jnp.int32) + jnp.arange(steps, dtype=jnp.int32)
    whole = steps - steps % length
    pieces = []
    for part in (times[:whole].reshape(-1, length), *([times[whole:][None]] if whole < steps else [])):
        x, points = lax.scan(lambda x, times: (lax.scan(step, x, times)[0], x), x, part)
        pieces.append((points, part))

    def forward(v: Array, piece: tuple[PyTree, Array]) -> tuple[Array, None]:
        segment, u = along(*piece)
        return jax.jvp(segment, (u,), (v,))[1], None

    def backward(w: Array, piece: tuple[PyTree, Array]) -> tuple[Array, None]:
        segment, u = along(*piece)
        return jax.vjp(segment, u)[1](w)[0], None

    def push(v: Float[Array, " d"]) -> Float[Array, " d"]:
        for piece in pieces:
            v, _ = lax.scan(forward, v, piece)
        return v

    def pull(w: Float[Array, " d"]) -> Float[Array, " d"]:
        for piece in reversed(pieces):
            w, _ = lax.scan(backward, w, piece, reverse=True)
        return w

    return push, pull


def _golub_kahan(
    push: Callable, pull: Callable, first: Array, k: int, max_products: int, tolerance: float, rounding: float
) -> SingularTriplets:
    m = -(-max_products // _PRODUCTS_A_CHECK) * _PRODUCTS_A_CHECK
    d, dtype = first.size, first.dtype

    def unfinished(state: _Bidiagonal):
        more = (state.products < m) & (state.rank == state.products)
        return more & jnp.any(state.residuals > tolerance * _scale(state))

    def extend(state: _Bidiagonal) -> _Bidiagonal:
        state = lax.fori_loop(0, _PRODUCTS_A_CHECK, lambda _, state: _extend(push, pull, state, rounding), state)
        return state._replace(residuals=_triplets(state, k)[3])

    state = _Bidiagonal(
        right=jnp.zeros((m, d), dtype),
        left=jnp.zeros((m, d), dtype),
        vector=first / jnp.linalg.norm(first),
        alpha=jnp.zeros(m, dtype),
        beta=jnp.zeros(m, dtype),
        rank=jnp.int32(0),
        products=jnp.int32(0),
        residuals=jnp.full(k, jnp.inf, dtype),
    )
    state = lax.while_loop(unfinished, extend, state)
    values, right, left, residuals = _triplets(state, k)
    residuals = residuals + rounding * values[0]
    known = values > residuals
    return SingularTriplets(
        values=jnp.where(known, values, jnp.nan),
        right=jnp.where(known[:, None], right @ state.right, jnp.nan),
        left=jnp.where(known[:, None], left @ state.left, jnp.nan),
        residuals=residuals,
        products=state.products,
    )


def _scale(state: _Bidiagonal) -> Float[Array, ""]:
    return jnp.max(state.alpha)


def _extend(push: Callable, pull: Callable, state: _Bidiagonal, rounding: float) -> _Bidiagonal:
    """``M V = U B`` and ``Mᵀ U = V Bᵀ + β v eᵀ`` one column further, B upper bidiagonal."""
    v, j = state.vector, state.products
    right = state.right.at[j].set(v)
    u, alpha = _new_direction(push(v), state.left, rounding * _scale(state))
    left = state.left.at[j].set(u)
    floor = rounding * jnp.maximum(_scale(state), alpha)
    w, beta = _new_direction(pull(u), right, floor)
    return state._replace(
        right=right,
        left=left,
        vector=w,
        alpha=state.alpha.at[j].set(alpha),
        beta=state.beta.at[j].set(beta),
        rank=state.rank + jnp.any(v != 0),
        products=j + 1,
    )


def _new_direction(image: Array, basis: Array, floor: Array) -> tuple[Float[Array, " d"], Float[Array, ""]]:
    """The unit vector along what of the image is orthogonal to the basis, and its length; 0 below the floor."""
    for _ in range(2):
        image = image - (basis @ image) @ basis
    length = jnp.linalg.norm(image)
    nothing = length <= floor
    return jnp.where(nothing, 0.0, image / jnp.where(nothing, 1.0, length)), jnp.where(nothing, 0.0, length)


def _triplets(state: _Bidiagonal, k: int) -> tuple[Array, Array, Array, Array]:
    B = jnp.diag(state.alpha) + jnp.diag(state.beta[:-1], 1)
    held = jnp.arange(state.alpha.size) < state.rank
    finite = jnp.all(jnp.isfinite(B))
    both = unbatched(_svd)(jnp.where(held[:, None] & held[None] & finite, B, 0.0))
    left, values, right = both[0, :, :k].T, both[1, 0, :k], both[2, :, :k].T
    residuals = state.beta[state.rank - 1] * jnp.abs(left[:, state.rank - 1])
    found = (jnp.arange(k) < state.rank) & finite
    return jnp.where(found, values, jnp.nan), right, left, jnp.where(found, residuals, jnp.nan)


def _svd(B: Float[Array, "m m"]) -> Float[Array, "3 m m"]:
    U, values, Vt = jnp.linalg.svd(B)
    return jnp.stack([U, jnp.broadcast_to(values[None], B.shape), Vt.T])
