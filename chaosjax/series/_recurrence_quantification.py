"""Recurrence quantification."""

import math
from functools import reduce
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from chaosjax._checks import check_count
from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked
from chaosjax.series._estimate import causes, first_reason, masked
from chaosjax.series._runs import run_lengths

_LONGEST = 46340
"""Points, at most: their pairs are counted in 32-bit integers."""

_HALVINGS = 30


class Recurrence(NamedTuple):
    """The measures of a recurrence plot, NaN wherever `reason` is not 0 (see `REASONS`); lengths are in samples."""

    recurrence_rate: Float[Array, ""]
    determinism: Float[Array, ""]
    mean_diagonal: Float[Array, ""]
    longest_diagonal: Float[Array, ""]
    diagonal_entropy: Float[Array, ""]
    laminarity: Float[Array, ""]
    trapping_time: Float[Array, ""]
    radius: Float[Array, ""]
    reason: Int[Array, ""]


@compiled
def recurrence_quantification(
    x: Float[Array, " n"],
    *,
    radius: float | Float[Array, ""] | None = None,
    rate: float = 0.05,
    dimension: int = 2,
    delay: int = 1,
    theiler: int = 1,
    min_line: int = 2,
) -> Recurrence:
    r"""Measure how a series returns to its own past.

    .. math:: R_{ij} = [\, \|y_i - y_j\|_\infty \le ε \,], \quad y_i = (x_i, x_{i+τ}, …, x_{i+(m-1)τ})

    Of the pairs with \|i − j\| ≥ `theiler`, `recurrence_rate` is the fraction with R = 1. Of the recurrent points,
    `determinism` is the fraction on diagonal lines (stretches that evolve alike) of at least `min_line` points;
    `mean_diagonal`, `longest_diagonal` and `diagonal_entropy` (nats) are mean, maximum and entropy of those
    lengths. `laminarity` is the fraction on vertical lines (states that stay) of at least `min_line` points and
    `trapping_time` their mean length; vertical lines pass through the main diagonal and the Theiler window, which
    would cut each laminar state in two. A mean of no lines is 0.

    A periodic series has determinism near 1 and diagonals nearly as long as itself, a chaotic one shorter
    diagonals, independent noise 1 − (1 − q)² with q = rate^(1/m). Neighbours in time recur in a smooth
    (oversampled) series whatever it is: raise `theiler`.

    Args:
        x: the series.
        radius: ε, in units of x; None takes the smallest (to 1e-9 of the range) with a recurrence rate of `rate`.
        rate: the least recurrence rate where no radius is given.
        dimension: m, of the embedding.
        delay: τ, in samples.
        theiler: the least distance in time of a pair on a diagonal, in samples.
        min_line: points of the shortest line that counts.

    Returns:
        `Recurrence`. Reasons: "not finite", "constant", "too few neighbours" (no pair recurs).

    Raises:
        ValueError: an argument out of range, or no more than `theiler` or more than 46,340 points in the embedding.

    Cost: n² m comparisons, 30 times that to find ε; memory O(n), one row of the plot at a time.

    Source: Marwan, Romano, Thiel, Kurths, Phys. Rep. 438 (2007) 237.
    """
    x, n = checked(x, dimension, delay)
    check_count("theiler", theiler)
    check_count("min_line", min_line)
    if not 0 < rate <= 1:
        raise ValueError(f"rate={rate} must be above 0 and at most 1")
    if not theiler < n <= _LONGEST:
        raise ValueError(
            f"x has {n} points in dimension={dimension} with delay={delay}; needed are more than theiler={theiler} "
            f"and at most {_LONGEST}: give a longer series, or cut or subsample it"
        )
    y = jnp.stack([x[i * delay : i * delay + n] for i in range(dimension)])
    radius = _radius_of_rate(y, rate, theiler) if radius is None else jnp.asarray(radius, x.dtype)
    diagonals, verticals = _line_lengths(y, radius, theiler)
    points = jnp.arange(n + 1) @ diagonals
    determinism, mean_diagonal, longest, entropy = _of_lines(diagonals, min_line, x.dtype)
    laminarity, trapping_time, _, _ = _of_lines(verticals, min_line, x.dtype)
    recurrence_rate = points.astype(x.dtype) / _pairs(n, theiler)
    measures = (recurrence_rate, determinism, mean_diagonal, longest, entropy, laminarity, trapping_time, radius)
    reason = first_reason(*causes(x), (points == 0, "too few neighbours"))
    return masked(Recurrence(*(measure.astype(x.dtype) for measure in measures), reason=reason))


def _row(y: Float[Array, "m n"], i: Int[Array, ""], radius: Float[Array, ""]) -> Bool[Array, " n"]:
    # Not a max over the axis, which would keep the loop over points from being vectorised.
    distance = reduce(jnp.maximum, [jnp.abs(component - component[i]) for component in y])
    return distance <= radius


def _pairs(n: int, theiler: int) -> int:
    return (n - theiler) * (n - theiler + 1) // 2


def _radius_of_rate(y: Float[Array, "m n"], rate: float, theiler: int) -> Float[Array, ""]:
    """Bisect for the smallest radius at which at least `rate` of the pairs recur."""
    n = y.shape[1]
    needed = math.ceil(rate * _pairs(n, theiler))

    def enough(radius: Float[Array, ""]) -> Bool[Array, ""]:
        def add(i: Int[Array, ""], count: Int[Array, ""]) -> Int[Array, ""]:
            later = jnp.arange(n) >= i + theiler
            return count + jnp.sum(_row(y, i, radius) & later, dtype=jnp.int32)

        return lax.fori_loop(0, n, add, jnp.int32(0)) >= needed

    def halve(_: Int[Array, ""], bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        reached = enough(middle)
        return jnp.where(reached, low, middle), jnp.where(reached, middle, high)

    return lax.fori_loop(0, _HALVINGS, halve, (jnp.zeros((), y.dtype), jnp.max(y) - jnp.min(y)))[1]


def _line_lengths(
    y: Float[Array, "m n"], radius: Float[Array, ""], theiler: int
) -> tuple[Int[Array, " length"], Int[Array, " length"]]:
    """How many diagonals above the Theiler window, and how many vertical lines, have each length 0 … n."""
    n = y.shape[1]
    later = jnp.arange(n) >= theiler

    def add(state: tuple[Array, Array, Array], i: Int[Array, ""]) -> tuple[tuple[Array, Array, Array], None]:
        running, diagonals, verticals = state
        row = _row(y, i, radius)
        # Entry k is the pair (i, i + k). Past the last point it is false, which ends every diagonal still running.
        offsets = lax.dynamic_slice(jnp.concatenate([row, jnp.zeros(n, bool)]), (i,), (n,)) & later
        diagonals = _count(diagonals, jnp.where(offsets, 0, running))
        verticals = _count(verticals, run_lengths(row))
        return (jnp.where(offsets, running + 1, 0), diagonals, verticals), None

    start = (jnp.zeros(n, jnp.int32), jnp.zeros(n + 1, jnp.int32), jnp.zeros(n + 1, jnp.int32))
    return lax.scan(add, start, jnp.arange(n, dtype=jnp.int32))[0][1:]


def _count(histogram: Int[Array, " length"], lengths: Int[Array, " n"]) -> Int[Array, " length"]:
    return histogram.at[jnp.where(lengths > 0, lengths, histogram.size)].add(1, mode="drop")


def _of_lines(histogram: Int[Array, " length"], min_line: int, dtype: jnp.dtype) -> tuple[Array, Array, Array, Array]:
    """Fraction of the points on lines of at least `min_line`; mean, maximum and entropy of those lengths."""
    length = jnp.arange(histogram.size, dtype=jnp.int32)
    lines = jnp.where(length >= min_line, histogram, 0)
    number, on_lines = jnp.sum(lines), length @ lines
    p = lines.astype(dtype) / jnp.maximum(number, 1)
    entropy = -jnp.sum(p * jnp.log(jnp.where(p > 0, p, 1.0)))
    fraction = on_lines.astype(dtype) / (length @ histogram)
    mean = on_lines.astype(dtype) / jnp.maximum(number, 1)
    return fraction, mean, jnp.max(jnp.where(lines > 0, length, 0)), entropy
