"""Surrogate series: what a series would be if it had only its values, or only its spectrum; and the test with them."""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Complex, Float, Int, PRNGKeyArray

from chaosjax._checks import check_count
from chaosjax._minibatch import permuted
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import causes, first_reason, is_constant, masked


@runtime_checkable
class Surrogate(Protocol):
    """A random series that shares some properties with x."""

    def __call__(self, x: Float[Array, " n"], key: PRNGKeyArray, /) -> Float[Array, " n"]: ...


@runtime_checkable
class Statistic(Protocol):
    """A number read off a series."""

    def __call__(self, x: Float[Array, " n"], /) -> Float[Array, ""]: ...


class SurrogateTest(NamedTuple):
    """A statistic of the series, of its surrogates, and its p-value; NaN wherever `reason` is not 0 (see `REASONS`)."""

    value: Float[Array, ""]
    surrogates: Float[Array, " count"]
    p_value: Float[Array, ""]
    reason: Int[Array, ""]


def shuffled(x: Float[Array, " n"], key: PRNGKeyArray) -> Float[Array, " n"]:
    """Return x in random order: its values and no memory, the null of independent noise.

    Cost: O(n).
    """
    return jnp.where(jnp.isfinite(x).all(), x[permuted(key, jnp.arange(x.size), x.size)], jnp.nan)


@compiled
def phase_randomised(x: Float[Array, " n"], key: PRNGKeyArray) -> Float[Array, " n"]:
    r"""Return a Gaussian series with the spectrum of x: the null of linear Gaussian noise.

    .. math:: \hat s_k = |\hat x_k| e^{iφ_k}, \quad φ_k \text{ uniform in } [0, 2π)

    The periodogram, the circular autocorrelation, mean and variance are those of x up to rounding. The
    discrete transform joins the ends of x: where they differ much, cut x so that they match.

    Cost: O(n log n), two FFTs.

    Source: Theiler, Eubank, Longtin, Galdrikian, Farmer, Physica D 58 (1992) 77.
    """
    x, _ = checked(x, 1, 1)
    spectrum = jnp.fft.rfft(x)
    turned = jnp.abs(spectrum) * jnp.exp(2j * jnp.pi * jax.random.uniform(key, spectrum.shape, x.dtype))
    # The mean and, for even n, the Nyquist term are real numbers and have no phase to choose.
    turned = turned.at[0].set(spectrum[0])
    if x.size % 2 == 0:
        turned = turned.at[-1].set(spectrum[-1])
    return jnp.where(jnp.isfinite(x).all(), jnp.fft.irfft(turned, x.size), jnp.nan)


@compiled
def iaaft(x: Float[Array, " n"], key: PRNGKeyArray, *, iterations: int = 100) -> Float[Array, " n"]:
    """Return a series with the values of x and nearly its spectrum: the null of Gaussian linear noise behind a gauge.

    Iterated amplitude adjusted Fourier transform: from a shuffle of x, in turn give the series the Fourier
    amplitudes of x, keeping its phases, and the values of x, keeping their order; until the order stays or
    `iterations` are done. The last step sets the values, so those are exactly x's. The amplitudes are off by, in
    norm, 1 to 3 % for 256 samples and below 1 % for 1,000 where the values are Gaussian or bounded, but by 5 to 25 %
    where they are strongly skewed (log-normal): transform such a series first, e.g. take log loss. Ends that differ
    much spoil the spectrum.

    Cost: two FFTs and a sort per iteration.

    Source: Schreiber, Schmitz, Phys. Rev. Lett. 77 (1996) 635.
    """
    x, _ = checked(x, 1, 1)
    values, amplitudes = jnp.sort(x), jnp.abs(jnp.fft.rfft(x))

    def unfinished(state: tuple[Array, Array, Array]) -> Array:
        _, changed, iteration = state
        return changed & (iteration < iterations)

    def adjust(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        series, _, iteration = state
        adjusted = jnp.fft.irfft(amplitudes * _phases(jnp.fft.rfft(series)), x.size)
        ordered = jnp.zeros_like(x).at[jnp.argsort(adjusted)].set(values)
        return ordered, jnp.any(ordered != series), iteration + 1

    start = shuffled(x, key)
    series, _, _ = lax.while_loop(unfinished, adjust, (start, ~is_constant(x), jnp.int32(0)))
    return jnp.where(jnp.isfinite(x).all(), series, jnp.nan)


def surrogate_test(
    statistic: Statistic,
    x: Float[Array, " n"],
    key: PRNGKeyArray,
    count: int = 99,
    *,
    surrogate: Surrogate = iaaft,
    side: str = "two",
) -> SurrogateTest:
    r"""Test whether a statistic of x is what surrogates have: by default, linear noise seen through any gauge.

    .. math:: p_\mathrm{high} = \frac{1 + \#\{i : s_i \ge s_0\}}{1 + \mathtt{count}}, \quad
              p_\mathrm{low} = \frac{1 + \#\{i : s_i \le s_0\}}{1 + \mathtt{count}}, \quad
              p = \min(1, 2 \min(p_\mathrm{low}, p_\mathrm{high}))

    A rank test: exact whatever the distribution of the statistic, as far as the surrogates are draws from the
    null. p is at least 2 / (count + 1), one-sided 1 / (count + 1). A statistic that the surrogates keep (the
    variance; under `iaaft` and `phase_randomised` the autocorrelation) tests nothing. Rejecting says "not this
    null", which may be chaos, but also a trend or an intermittent noise.

    Args:
        statistic: series to number, e.g. ``lambda x: permutation_entropy(x).value``.
        x: the series.
        key: of the surrogates.
        count: how many surrogates.
        surrogate: `iaaft`, `phase_randomised`, `shuffled`, or any function (x, key) -> series.
        side: "high" (the statistic is larger than its surrogates'), "low" or "two".

    Returns:
        `SurrogateTest`. Reasons: "not finite" (x, or the statistic on x or on a surrogate), "constant".

    Raises:
        ValueError: no surrogate, or an unknown `side`.

    Cost: `count` surrogates and count + 1 statistics, one after the other; memory of one.

    Source: Theiler, Eubank, Longtin, Galdrikian, Farmer, Physica D 58 (1992) 77; Schreiber, Schmitz, Physica D 142
    (2000) 346.
    """
    check_count("count", count)
    if side not in ("two", "high", "low"):
        raise ValueError(f"side={side!r} must be two, high or low")
    x, _ = checked(x, 1, 1)
    value = statistic(x)
    surrogates = lax.map(lambda key: statistic(surrogate(x, key)), jax.random.split(key, count))
    high = (1 + jnp.sum(surrogates >= value)) / (1 + count)
    low = (1 + jnp.sum(surrogates <= value)) / (1 + count)
    p = {"high": high, "low": low, "two": jnp.minimum(1.0, 2 * jnp.minimum(low, high))}[side].astype(x.dtype)
    undefined = ~jnp.isfinite(value) | ~jnp.isfinite(surrogates).all()
    reason = first_reason(*causes(x), (undefined, "not finite"))
    return masked(SurrogateTest(value, surrogates, p, reason))


def _phases(spectrum: Complex[Array, " f"]) -> Complex[Array, " f"]:
    size = jnp.abs(spectrum)
    return jnp.where(size > 0, spectrum / jnp.where(size > 0, size, 1.0), 1.0)
