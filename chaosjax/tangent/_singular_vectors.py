"""Perturbations that grow most over a given time: singular vectors of the finite-time propagator."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from chaosjax._jumps import require_differentiable
from chaosjax._krylov import golub_kahan
from chaosjax._linalg import LinearMap, check_pairs
from chaosjax._system import System, Theta, phase


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
    """Find the k leading singular triplets of the propagator ``M = J_{t0+steps−1} … J_{t0}`` from x, matrix-free.

    ``σ_1 = max ‖M v‖ / ‖v‖``: no perturbation of x grows by more than σ_1 in `steps` steps, and right_1 is the one
    that does. ``ln σ_i / steps`` is a finite-time exponent in nats per step; for i = 1 it bounds Benettin's from above.
    The method is Golub–Kahan bidiagonalisation with full reorthogonalisation, which works on M and not on MᵀM:
    it resolves values down to ``eps · steps · σ_1`` (σ_1/σ_i up to about 1e12 in float64, 1e4 in float32), not
    only down to √eps σ_1.

    The propagator is that of the orbit as computed. Another rounding of a chaotic orbit changes its singular
    values by about eps · σ_1 of themselves, which no residual shows.

    Args:
        system: the map.
        x: the phase point at t0.
        theta: the control parameters, all of them.
        noise_key: key of the noise.
        t0: time of x.
        steps: length of the propagator.
        k: number of triplets.
        max_products: largest number of products, rounded up to a multiple of five. The residuals say how far the
            search got.
        tolerance: the search ends when every residual is at most ``tolerance · σ_1``.
        first: a start with a component along the directions looked for; random by default.

    Returns:
        The triplets. Values that are not resolved are NaN: take fewer steps, or use `covariant_vectors` and
        `probes.lyapunov`, which work in logarithms. Where M overflows (a growth of 709 nats in float64, 88 in
        float32) all are NaN.

    Raises:
        ValueError: if steps is below 1, k exceeds the dimension or `max_products`, or the step jumps.

    Cost: a product is one push (steps × a jvp) and one pull (steps × a step and a vjp), some 6 to 8 plain
    runs of `steps`. Gaps in the spectrum decide how many products it takes: few where growth is large. Memory:
    2·max_products·d numbers, and about 2·√steps phase points.

    Source: Golub, Kahan, SIAM J. Numer. Anal. 2 (1965) 205; Buizza, Palmer, J. Atmos. Sci. 52 (1995) 1434.
    """
    u, chart = phase(x)
    if steps != int(steps) or steps < 1:
        raise ValueError(f"singular_vectors: steps={steps!r} must be a positive integer: give at least 1")
    check_pairs("singular_vectors", k, u.size, max_products)
    noise = system.noise(noise_key, jnp.asarray(t0, jnp.int32))
    require_differentiable(lambda u: phase(system.step(chart(u), theta, noise))[0], u)
    push, pull = _propagator(system, x, theta, noise_key, t0, steps)
    start = jax.random.normal(jax.random.key(0), u.shape, u.dtype) if first is None else first
    rounding = steps * float(jnp.finfo(u.dtype).eps)
    space, found = golub_kahan(push, pull, start, k, max_products=max_products, tolerance=tolerance, rounding=rounding)
    residuals = found.residuals + rounding * found.values[0]
    known = found.values > residuals
    return SingularTriplets(
        values=jnp.where(known, found.values, jnp.nan),
        right=jnp.where(known[:, None], found.right @ space.right, jnp.nan),
        left=jnp.where(known[:, None], found.left @ space.left, jnp.nan),
        residuals=residuals,
        products=space.products,
    )


def _propagator(
    system: System, x: PyTree, theta: Theta, noise_key: PRNGKeyArray, t0: Int[Array, ""] | int, steps: int
) -> tuple[LinearMap, LinearMap]:
    """``v -> M v`` and ``w -> Mᵀ w`` along one orbit, of which every √steps-th phase point is kept.

    Both replay the orbit from these points. Computed afresh from x by two programs, a chaotic orbit would be two
    orbits, and the second product would not be the transpose of the first.
    """

    @jax.checkpoint
    def step(x: PyTree, t: Array) -> tuple[PyTree, None]:
        return system.step(x, theta, system.noise(noise_key, t)), None

    def along(x: PyTree, times: Array) -> tuple[LinearMap, Array]:
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
