"""The 0-1 test for chaos."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from chaosjax._checks import check_count
from chaosjax.series._autocorrelation import autocorrelation
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import Estimate, causes, estimate

_SHORTEST = 500
"""Samples, after subsampling, below which a regular series can reach K = 0.5."""

_TOGETHER = 10
"""Frequencies worked on at a time: the memory is a small multiple of this many series."""


@compiled
def zero_one_test(x: Float[Array, " n"], key: PRNGKeyArray, *, frequencies: int = 100) -> Estimate:
    r"""Tell chaotic (K ≈ 1) from regular (K ≈ 0) by the 0-1 test, without an embedding.

    The series φ, its mean removed, drives a walk in the plane, z_c(n) = Σ_{j≤n} φ_j e^{ijc}, which stays bounded
    where the dynamics is regular and diffuses where it is chaotic:

    .. math:: M_c(n) = \langle |z_c(j+n) - z_c(j)|^2 \rangle_{j \le 0.9 N}, \quad
              K_c = \mathrm{corr}(n, M_c(n))_{n \le N/10}, \quad K = \mathrm{median}_c K_c

    with c uniform in (π/5, 4π/5). Removing the mean removes the oscillating term V_osc of the modified
    displacement D_c. `low` and `high` span the central 95 % of the K_c: their spread over c, not the error of K.

    Use it on stationary series (cut the transient off) from deterministic training. Noise diffuses too: K = 1
    does not tell chaos from noise. Weak chaos takes long to reach 1: the logistic map at r = 3.6 has K = 0.72 for
    500 samples, 0.97 for 2,000 and 0.99 for 5,000.

    An oversampled series (any smooth one, e.g. from a flow) would pass for regular, so it is first subsampled: the
    stride is the first lag at which the autocorrelation is at most 1/e, 1 for most maps. N counts the samples left;
    fewer than 500 are "too short", as they always are in a series that is mostly drift.

    Args:
        x: the series.
        key: of the frequencies.
        frequencies: how many c.

    Returns:
        `Estimate` of K, without unit. Reasons: "not finite", "constant", "too short".

    Raises:
        ValueError: a series of fewer than 500 samples, or no frequency.

    Cost: 3 `frequencies` FFTs, O(n log n) each; memory of ten series.

    Source: Gottwald, Melbourne, SIAM J. Appl. Dyn. Syst. 8 (2009) 129.
    """
    check_count("frequencies", frequencies)
    x, _ = checked(x, 1, 1, least=_SHORTEST)
    stride = decorrelation_stride(x)
    sampled = jnp.arange(x.size) * stride
    length = (x.size - 1) // stride + 1
    held = jnp.arange(x.size) < length
    phi = jnp.where(held, x[jnp.minimum(sampled, x.size - 1)], 0.0)
    phi = jnp.where(held, phi - jnp.sum(phi) / length, 0.0)
    c = jax.random.uniform(key, (frequencies,), x.dtype, jnp.pi / 5, 4 * jnp.pi / 5)
    K = lax.map(lambda c: _growth(phi, length, c), c, batch_size=_TOGETHER)
    low, median, high = jnp.quantile(K, jnp.asarray([0.025, 0.5, 0.975], x.dtype))
    return estimate(median, low, high, *causes(x), (length < _SHORTEST, "too short"))


def decorrelation_stride(x: Float[Array, " n"]) -> Int[Array, ""]:
    """Return the first lag at which the autocorrelation of x is at most 1/e; its size where there is none."""
    below = autocorrelation(x, x.size - 1).value <= jnp.exp(-1.0)
    return jnp.where(below.any(), jnp.argmax(below), x.size)


def _growth(phi: Float[Array, " n"], length: Int[Array, ""], c: Float[Array, ""]) -> Float[Array, ""]:
    """Correlation of the mean-square displacement at frequency c with time; phi is 0 from `length` on."""
    n = phi.size
    j = jnp.arange(n)
    held = j < length
    z = jnp.cumsum(phi * jnp.exp(1j * c * j))
    z = jnp.where(held, z - jnp.sum(jnp.where(held, z, 0.0)) / length, 0.0)

    lag = jnp.arange(1, n // 10 + 1)
    cut = length // 10
    window = length - cut
    origins = jnp.where(j < window, z, 0.0)
    size = 2 ** (n + n // 10).bit_length()
    products = jnp.fft.ifft(jnp.fft.fft(z, size) * jnp.conj(jnp.fft.fft(origins, size)))[1 : lag.size + 1].real
    squares = jnp.append(0.0, jnp.cumsum(jnp.abs(z) ** 2))
    ends = squares[jnp.minimum(lag + window, n)] - squares[lag]
    M = (ends + squares[window] - 2 * products) / window

    weight = (lag <= cut).astype(M.dtype)
    time = lag - jnp.sum(weight * lag) / cut
    M = M - jnp.sum(weight * M) / cut
    return jnp.sum(weight * time * M) / jnp.sqrt(jnp.sum(weight * time**2) * jnp.sum(weight * M**2))
