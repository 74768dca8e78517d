"""Expansion entropy: chaos as the growth of volumes in a region, for attractors, repellers and driven maps alike."""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import logsumexp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree
from scipy.stats import t as student

from chaosjax._cell import advance, observe, start
from chaosjax._linalg import unbatched
from chaosjax._probe import Probe
from chaosjax._system import System, Theta, phase
from chaosjax._transition import Transition

REASONS = (
    "",
    "fewer than three times of the window keep enough effective samples: give more samples or an earlier window",
    "the propagator's singular values span more than the precision resolves, or are not finite: take fewer steps",
)
"""What `ExpansionEntropy.reason` stands for."""

_RESOLUTION = 1e-3
"""Largest error of ln G, from the rounding of a propagator, with which a time still counts."""


@runtime_checkable
class Region(Protocol):
    """Tells whether a phase point lies in a region."""

    def __call__(self, x: PyTree, /) -> Bool[Array, ""]: ...


@runtime_checkable
class Sampler(Protocol):
    """Draws a phase point."""

    def __call__(self, key: PRNGKeyArray, /) -> PyTree: ...


class ExpansionEntropy(NamedTuple):
    """Expansion entropy and the curve it is read off.

    Attributes:
        entropy: H_0 in nats per step, NaN where `reason` is not 0.
        low, high: its interval, by the jackknife over batches.
        log_expansion: ln E(t) in nats, t = 0 … steps.
        survivors: samples that have not left the region by t.
        effective: ``(Σ G)² / Σ G²`` over them: the number of equal terms that would scatter as much.
        used: times that entered the fit.
        reason: index into `REASONS`.
    """

    entropy: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    log_expansion: Float[Array, " times"]
    survivors: Int[Array, " times"]
    effective: Float[Array, " times"]
    used: Bool[Array, " times"]
    reason: Int[Array, ""]


class _Sums(NamedTuple):
    """Of each batch, at each time: ln Σ G, ln Σ G², the number of samples in the region, whether all are resolved."""

    first: Float[Array, "*batches times"]
    second: Float[Array, "*batches times"]
    survivors: Int[Array, "*batches times"]
    resolved: Bool[Array, "*batches times"]


def expansion_entropy(
    system: System,
    key: PRNGKeyArray,
    theta: Theta,
    *,
    inside: Region,
    sample: Sampler,
    steps: int,
    samples: int = 20_000,
    batches: int = 20,
    window: tuple[int, int] | None = None,
    effective: float = 100.0,
    confidence: float = 0.95,
    noise_key: PRNGKeyArray | None = None,
) -> ExpansionEntropy:
    """Estimate the expansion entropy of a map on a region S, with its interval.

    ``E(t) = ⟨G(D f^t(x)) [f^s(x) ∈ S for all s ≤ t]⟩`` over x uniform in S, with G the product of the singular values
    above 1, and ``H_0 = lim ln E(t) / t``, here the slope of the least-squares line through ln E over the window. A
    positive H_0 is Hunt and Ott's definition of chaos, on attractors and repellers, autonomous or driven; in
    hyperbolic systems it is the topological entropy. It is no exponent: it weighs orbits by their expansion.

    Ever fewer samples carry E as t grows, so a time counts only while the effective number of samples is large
    enough, and while the precision resolves the propagator: for d > 2, ``eps · d · t · σ_1 < 1e-3``; for d ≤ 2 always,
    by its determinant. The interval shows statistical error alone, not the error of a window that begins too early:
    compare windows.

    Args:
        system: the map; its `init` is not used.
        key: of the samples.
        theta: the control parameters, all of them.
        inside: tells whether a phase point lies in S.
        sample: draws a phase point uniformly from S, or from a region around S: points outside S are left out.
        steps: number of steps.
        samples: number of initial points, a multiple of `batches`.
        batches: groups over which the jackknife is taken, at least 2.
        window: first and last time of the fit; (steps // 2, steps) by default.
        effective: smallest effective number of samples with which a time counts.
        confidence: of the interval.
        noise_key: key of the noise, the same for all samples; None is a sweep's default.

    Returns:
        The entropy and the curve behind it; without enough to go by, NaN and a reason.

    Raises:
        ValueError: for a number or window out of range, or a step that jumps.

    Cost: samples × steps × d Jacobian-vector products, and for d > 2 as many singular value decompositions of
    d × d; memory samples/batches × (d² + steps) numbers. Jit it.

    Source: Hunt, Ott, Chaos 25 (2015) 097618.
    """
    begin, end = (steps // 2, steps) if window is None else window
    _check(steps, samples, batches, begin, end, confidence)
    noise_key = jax.random.key(0) if noise_key is None else noise_key
    sampled = system._replace(init=lambda key, theta: sample(key))
    probes = {"expansion": _expansion(inside)}

    def one(key: PRNGKeyArray) -> dict[str, Array]:
        carry = start(sampled, probes, key, theta)
        carry, records = advance(sampled, probes, carry, 0, theta, noise_key, blocks=steps, stride=1)
        final = observe(sampled, probes, carry, steps, theta, noise_key)
        return jax.tree.map(lambda a, b: jnp.concatenate([a, b[None]]), records["expansion"], final["expansion"])

    def batch(key: PRNGKeyArray) -> _Sums:
        records = jax.vmap(one)(jax.random.split(key, samples // batches))
        stayed, log_g = records["stayed"], jnp.where(records["stayed"], records["log_g"], -jnp.inf)
        return _Sums(
            logsumexp(log_g, axis=0),
            logsumexp(2 * log_g, axis=0),
            jnp.sum(stayed, axis=0),
            jnp.all(~stayed | records["resolved"], axis=0),
        )

    sums = lax.map(batch, jax.random.split(key, batches))
    return _fit(sums, begin, end, effective, float(student.ppf((1 + confidence) / 2, batches - 1)))


class _Expansion(NamedTuple):
    propagator: Float[Array, "d d"]
    log_determinant: Float[Array, ""]
    stayed: Bool[Array, ""]


def _expansion(inside: Region) -> Probe:
    """ln G of the propagator from the start, and whether the orbit has stayed inside so far."""

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> _Expansion:
        u, _ = phase(x)
        return _Expansion(jnp.eye(u.size, dtype=u.dtype), jnp.zeros((), u.dtype), jnp.bool_(True))

    def update(m: _Expansion, transition: Transition) -> _Expansion:
        transition.require_differentiable()
        d = len(m.propagator)
        stayed = m.stayed & inside(transition.x)
        if d != 2:
            return _Expansion(jax.vmap(transition.push, 1, 1)(m.propagator), m.log_determinant, stayed)
        J = jax.vmap(transition.push, 1, 1)(jnp.eye(d, dtype=m.propagator.dtype))
        determinant = J[0, 0] * J[1, 1] - J[0, 1] * J[1, 0]
        return _Expansion(J @ m.propagator, m.log_determinant + jnp.log(jnp.abs(determinant)), stayed)

    def emit(m: _Expansion, transition: Transition) -> tuple[_Expansion, dict[str, Array]]:
        log_g, resolved = _log_expansion(m, transition.t)
        return m, {"log_g": log_g, "resolved": resolved, "stayed": m.stayed & inside(transition.x)}

    return Probe(init, update, emit)


def _log_expansion(m: _Expansion, t: Array) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """``ln G = max_j ln(σ_1 … σ_j)``, and whether it is to be trusted."""
    M, d = m.propagator, len(m.propagator)
    if d > 2:
        values = unbatched(lambda M: jnp.linalg.svd(M, compute_uv=False))(M)
        error = jnp.finfo(M.dtype).eps * d * t * values[0]
        return jnp.sum(jnp.maximum(jnp.log(values), 0.0)), error < _RESOLUTION
    if d == 1:
        log_norm, log_volume = jnp.log(jnp.abs(M[0, 0])), 0.0
    else:
        squares, volume = jnp.sum(M**2), jnp.exp(m.log_determinant)
        root = jnp.sqrt(squares + 2 * volume) + jnp.sqrt(jnp.maximum(squares - 2 * volume, 0.0))
        log_norm, log_volume = jnp.log(root / 2), m.log_determinant
    log_g = jnp.maximum(jnp.maximum(log_norm, log_volume), 0.0)
    return log_g, jnp.isfinite(log_g)


def _fit(sums: _Sums, begin: int, end: int, enough: float, quantile: float) -> ExpansionEntropy:
    batches, times = sums.first.shape
    t = jnp.arange(times)
    survivors = jnp.sum(sums.survivors, axis=0)
    total = logsumexp(sums.first, axis=0)
    log_expansion = total - jnp.log(survivors[0])
    effective = jnp.exp(2 * total - logsumexp(sums.second, axis=0))
    effective = jnp.where(survivors > 0, effective, 0.0)
    resolved = jnp.all(sums.resolved, axis=0)
    window = (t >= begin) & (t <= end)
    used = window & resolved & (effective >= enough)

    def slope(log_e: Float[Array, " times"]) -> Float[Array, ""]:
        centred = jnp.where(used, t - jnp.sum(t * used) / jnp.sum(used), 0.0)
        return jnp.sum(centred * jnp.where(used, log_e, 0.0)) / jnp.sum(centred**2)

    others = ~jnp.eye(batches, dtype=bool)
    left_out = logsumexp(jnp.where(others[:, :, None], sums.first[None], -jnp.inf), axis=1)
    kept = jnp.sum(sums.survivors[:, 0]) - sums.survivors[:, 0]
    slopes = jax.vmap(slope)(left_out - jnp.log(kept)[:, None])
    error = quantile * jnp.sqrt((batches - 1) / batches * jnp.sum((slopes - slopes.mean()) ** 2))

    reason = jnp.where(jnp.sum(used) >= 3, 0, jnp.where(jnp.sum(window & resolved) < 3, 2, 1))
    entropy = jnp.where(reason == 0, slope(log_expansion), jnp.nan)
    interval = entropy, entropy - error, entropy + error
    return ExpansionEntropy(*interval, log_expansion, survivors, effective, used, reason)


def _check(steps: int, samples: int, batches: int, begin: int, end: int, confidence: float) -> None:
    if batches < 2 or samples < batches or samples % batches:
        raise ValueError(
            f"expansion_entropy: samples={samples} must be a positive multiple of batches={batches}, at least 2"
        )
    if not 0 <= begin < begin + 2 <= end <= steps:
        raise ValueError(
            f"expansion_entropy: window=({begin}, {end}) must hold at least three of the times 0 … steps={steps}"
        )
    if not 0 < confidence < 1:
        raise ValueError(f"expansion_entropy: confidence={confidence!r} must lie between 0 and 1: 0.95 is usual")
