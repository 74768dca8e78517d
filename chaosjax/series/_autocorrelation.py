"""Autocorrelation, and the band in which that of a shuffled series lies."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from chaosjax._checks import check_count
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import causes, first_reason, masked
from chaosjax.series._surrogates import shuffled

_TOGETHER = 50
"""Shuffles worked on at a time: the memory is a small multiple of this many series."""


class Autocorrelation(NamedTuple):
    """r at lags 0 … `lags`, NaN wherever `reason` is not 0 (see `REASONS`)."""

    value: Float[Array, " lag"]
    reason: Int[Array, ""]


class Band(NamedTuple):
    """The interval of r at lags 0 … `lags` under the null, NaN wherever `reason` is not 0 (see `REASONS`)."""

    low: Float[Array, " lag"]
    high: Float[Array, " lag"]
    reason: Int[Array, ""]


@compiled
def autocorrelation(x: Float[Array, " n"], lags: int = 50) -> Autocorrelation:
    r"""Measure how long a series remembers its values.

    .. math:: r_k = \frac{\sum_{t=0}^{n-1-k} (x_t - \bar x)(x_{t+k} - \bar x)}{\sum_t (x_t - \bar x)^2}

    for k = 0 … `lags`: the usual estimator, whose bias is −1/n for white noise. A chaotic series decorrelates, a
    periodic one does not. Compare with `shuffled_band`.

    Args:
        x: the series.
        lags: the largest lag, in samples.

    Returns:
        r_k, without unit. Reasons: "not finite", "constant".

    Raises:
        ValueError: `lags` is not between 0 and n − 1.

    Cost: O(n log n), by FFT.

    Source: Box, Jenkins, Reinsel, Time Series Analysis (1994), section 2.1.
    """
    x = _series(x, lags)
    return masked(Autocorrelation(_correlate(x, lags), first_reason(*causes(x))))


@compiled
def shuffled_band(
    x: Float[Array, " n"], key: PRNGKeyArray, lags: int = 50, *, shuffles: int = 1000, confidence: float = 0.95
) -> Band:
    r"""Return, at each lag, the central `confidence` of the autocorrelations of `shuffles` shuffled series.

    .. math:: [Q_{α/2}, Q_{1-α/2}]\{ r_k(x \circ π_i) \}, \quad α = 1 - \mathtt{confidence}

    A shuffle keeps the values and no memory, so an r_k outside the band is memory at that lag. The band is
    pointwise: of 50 lags of a white series two or three lie outside at 95 %. It approaches ±1.96/√n.

    Args:
        x: the series.
        key: of the shuffles.
        lags: the largest lag, in samples.
        shuffles: how many.
        confidence: the share of the shuffles inside the band.

    Returns:
        The ends of the band, without unit. Reasons: "not finite", "constant".

    Raises:
        ValueError: `lags` is not between 0 and n − 1, no shuffle, or `confidence` outside (0, 1).

    Cost: 2 `shuffles` FFTs; memory of 50 series.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2:1367957 (2024), figures 9-12.
    """
    x = _series(x, lags)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} must be between 0 and 1, both left out")
    keys = jax.random.split(key, check_count("shuffles", shuffles))
    correlations = lax.map(lambda key: _correlate(shuffled(x, key), lags), keys, batch_size=_TOGETHER)
    tail = (1 - confidence) / 2
    low, high = jnp.quantile(correlations, jnp.asarray([tail, 1 - tail], x.dtype), axis=0)
    return masked(Band(low, high, first_reason(*causes(x))))


def _correlate(x: Float[Array, " n"], lags: int) -> Float[Array, " lag"]:
    size = 2 ** (x.size + lags).bit_length()
    power = jnp.abs(jnp.fft.rfft(x - jnp.mean(x), size)) ** 2
    products = jnp.fft.irfft(power, size)[: lags + 1]
    return products / products[0]


def _series(x: Float[Array, " n"], lags: int) -> Float[Array, " n"]:
    x, _ = checked(x, 1, 1)
    check_count("lags", lags, 0, x.size - 1, "the length of the series less one")
    return x
