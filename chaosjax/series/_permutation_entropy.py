"""Permutation entropy."""

import math
from itertools import combinations
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chaosjax._checks import check_count
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import causes, estimate


class PermutationEntropy(NamedTuple):
    """The entropy in units of ln order!, its 95 % interval and the distribution it is the entropy of.

    All NaN wherever `reason` is not 0 (see `REASONS`). Pattern 0 of the `probabilities` is the rising one, the
    last the falling one; in between the order is that of the Lehmer code, which is lexicographic.
    """

    value: Float[Array, ""]
    low: Float[Array, ""]
    high: Float[Array, ""]
    probabilities: Float[Array, " pattern"]
    reason: Int[Array, ""]


@compiled
def permutation_entropy(x: Float[Array, " n"], order: int = 4, delay: int = 1) -> PermutationEntropy:
    r"""Measure the complexity of a series by the orders in which its successive values come.

    .. math:: H = -\frac{1}{\ln d!} \sum_π p(π) \ln p(π)

    with p(π) the relative frequency of the permutation π among the windows (x_t, x_{t+τ}, …, x_{t+(d−1)τ}), d the
    `order`, τ the `delay`. H is 0 for a monotone series, near 1 for noise; a chaotic map forbids patterns
    (p = 0), noise none. Invariant under every increasing function of x, so loss and log loss give the same.
    Equal values count as rising: many ties (a loss rounded to few digits) lower H.

    The interval is the normal one from batch means of −ln p(π_t): H's first-order error, valid below 1. At H = 1
    that vanishes, and what remains is the bias, −(d! − 1)/(2n ln d!), by which `high` is raised throughout. To
    test against noise use `surrogate_test`.

    Args:
        x: the series.
        order: d, between 2 and 7.
        delay: τ, in samples.

    Returns:
        H, without unit, its interval and the p(π). Reasons: "not finite", "constant".

    Raises:
        ValueError: an `order` not between 2 and 7, a `delay` below 1, or fewer than 5 order! windows.

    Cost: n d²/2 comparisons, memory d n.

    Source: Bandt, Pompe, Phys. Rev. Lett. 88 (2002) 174102; the length: Amigó, Zambrano, Sanjuán, Europhys. Lett.
    83 (2008) 60005.
    """
    check_count("order", order, 2, 7)
    patterns = math.factorial(order)
    x, windows = checked(x, order, delay)
    if windows < 5 * patterns:
        needed = 5 * patterns + (order - 1) * delay
        raise ValueError(f"order={order} needs a series of {needed}, got {x.size}; take a lower order")

    values = [x[i * delay : i * delay + windows] for i in range(order)]
    code = jnp.zeros(windows, jnp.int32)
    for earlier, later in combinations(range(order), 2):
        code += math.factorial(order - 1 - earlier) * (values[later] < values[earlier])
    probabilities = jnp.zeros(patterns, x.dtype).at[code].add(1.0) / windows

    surprise = -jnp.log(jnp.where(probabilities > 0, probabilities, 1.0)) / math.log(patterns)
    H = probabilities @ surprise
    margin = 1.96 * _error_of_mean(surprise[code])
    bias = (patterns - 1) / (2 * windows * math.log(patterns))
    high = jnp.minimum(H + margin + bias, 1.0)
    H, low, high, reason = estimate(H, jnp.maximum(H - margin, 0.0), high, *causes(x))
    return PermutationEntropy(H, low, high, jnp.where(reason == 0, probabilities, jnp.nan), reason)


def _error_of_mean(series: Float[Array, " n"]) -> Float[Array, ""]:
    """Standard error of the mean of a correlated series, from √n batches of √n."""
    batches = math.isqrt(series.size)
    size = series.size // batches
    means = series[: batches * size].reshape(batches, size).mean(axis=1)
    return jnp.std(means, ddof=1) / math.sqrt(batches)
