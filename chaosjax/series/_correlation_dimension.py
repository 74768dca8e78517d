"""The correlation dimension of a scalar series."""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Int

from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import as_floats, checked, theiler_window
from chaosjax.series._estimate import Estimate, causes, estimate
from chaosjax.series._scaling import LEAST_REFERENCES, batch_means, evenly_spread, half_width, slope_in, straightest

BLOCK = 32
"""Reference points whose distances to all others are counted together."""

RADII = 32
RADII_PER_OCTAVE = 2

LEAST_PAIRS = 100
"""Pairs a radius needs for its correlation sum to count."""

LEAST_GROWTH = 4.0
"""Nats by which the correlation sum grows over a scaling region: a factor of 55."""

LARGEST_RISE = 0.1
"""Largest relative rise of the dimension from one embedding to the next that counts as saturated."""

LARGEST_FILLING = 0.9
"""Largest share of the embedding's dimension that counts as resolved."""


@compiled
def correlation_dimension(
    x: Float[Array, " n"], dimension: int = 2, delay: int = 1, theiler: int | None = None, references: int = 1000
) -> Estimate:
    r"""Estimate the correlation dimension as the power with which the number of close pairs grows with the radius.

    .. math:: D_2 = \frac{d \ln C(r)}{d \ln r}, \quad C(r) = \text{share of pairs with } ‖y_i - y_j‖_\infty \le r

    over delay vectors more than `theiler` samples apart. The scaling region is the window of ln C, at least two
    octaves of r long and 4 nats high, whose slope has the smallest standard error relative to it, judged by the
    residuals of the line; it starts in the lower half of the radii that hold 100 pairs, as D₂ is a limit for
    small r (in the large a random walk is a line). Where that error exceeds 2 % there is "no scaling region".
    There is "no saturation" where the estimate exceeds 0.9 `dimension`, or where one dimension more raises it by
    over 10 %: noise fills every embedding. Signals sampled much faster than they vary can pass for
    saturated; take a `delay` of the order of their correlation time.

    Args:
        x: the series, in any unit: the estimate of a x + b is that of x.
        dimension: of the embedding; above the dimension to be found.
        delay: between two components of a delay vector, in samples.
        theiler: in samples; None takes the mean period (`mean_period`), 3 or 4 samples for maps.
        references: points, evenly spread, whose distances to all others are counted; all where there are fewer.

    Returns:
        `Estimate`, without unit. The interval is a t interval over ten successive batches of reference points,
        enlarged as pairs share points, and by the line's misfit: it covers sampling and lacunarity, not the slow
        convergence of C(r) (logistic map r = 4: 0.9 from 5,000 points, 1 in the limit) nor the scatter from one
        orbit of 5,000 points to the next (Hénon: 0.03). Reasons: "not finite", "constant", "too few neighbours" (no
        radius holds 100 pairs, or a batch has none), "no scaling region", "no saturation".

    Raises:
        ValueError: an embedding too long for the series.

    Cost: O(references · n) distances, O(32 n) memory.

    Source: Grassberger, Procaccia, Physica D 9 (1983) 189; Theiler, Phys. Rev. A 34 (1986) 2427.
    """
    x = as_floats(x)
    counts, points = _pairs_within(x, dimension, delay, theiler, references)
    radii_per_nat = RADII_PER_OCTAVE / math.log(2)
    inflation = (1 + 3 * counts.shape[1] / points) ** 0.5
    (value, width, found), (risen, _, found_next) = (_dimension(each, inflation) for each in counts)
    value, width, risen = (part * radii_per_nat for part in (value, width, risen))
    return estimate(
        value,
        value - width,
        value + width,
        *causes(x),
        (jnp.max(jnp.sum(counts[0], axis=0)) < LEAST_PAIRS, "too few neighbours"),
        (~found, "no scaling region"),
        (value > LARGEST_FILLING * dimension, "no saturation"),
        (~found_next | (risen > (1 + LARGEST_RISE) * value), "no saturation"),
        (~jnp.isfinite(width), "too few neighbours"),
    )


@compiled
def correlation_sum(
    x: Float[Array, " n"], dimension: int = 2, delay: int = 1, theiler: int | None = None, references: int = 1000
) -> tuple[Float[Array, " radii"], Float[Array, " radii"]]:
    """Return radii in the unit of x, two per octave up to the range of x, and the correlation sum C(r) at each.

    Arguments and errors as for `correlation_dimension`.
    """
    x = as_floats(x)
    counts, points = _pairs_within(x, dimension, delay, theiler, references)
    octaves = jnp.arange(RADII - 1, -1, -1, dtype=x.dtype) / RADII_PER_OCTAVE
    radii = (jnp.max(x) - jnp.min(x)) * 2.0**-octaves
    index, apart = evenly_spread(references, points), theiler_window(x, theiler)
    inside = jnp.minimum(index + apart, points - 1) - jnp.maximum(index - apart, 0) + 1
    return radii, jnp.sum(counts[0], axis=0) / jnp.sum(points - inside)


def _dimension(
    counts: Float[Array, "references radii"], inflation: float
) -> tuple[Float[Array, ""], Float[Array, ""], Array]:
    """Slope of the log sum per radius, half the length of its interval, and whether it has a scaling region."""
    pairs = jnp.sum(counts, axis=0)
    curve = jnp.where(pairs >= LEAST_PAIRS, jnp.log(pairs), jnp.nan)
    usable = jnp.isfinite(curve)
    region = straightest(curve, LEAST_GROWTH, jnp.argmax(usable) + jnp.sum(usable) // 2)
    slope, misfit = slope_in(curve, region)
    batches = jnp.log(batch_means(counts, jnp.ones(len(counts), bool)))
    slopes, _ = jax.vmap(slope_in, (0, None))(batches, region)
    return slope, half_width(slopes, misfit, inflation), region.found


def _pairs_within(
    x: Float[Array, " n"], dimension: int, delay: int, theiler: int | None, references: int
) -> tuple[Float[Array, "2 references radii"], int]:
    """Points within each radius of each reference point, in `dimension` and one more, and the number of points."""
    x, points = checked(x, dimension + 1, delay, least=LEAST_REFERENCES)
    apart, index, widest = theiler_window(x, theiler), jnp.arange(points), jnp.max(x) - jnp.min(x)

    def count(distance: Float[Array, " points"]) -> Float[Array, " radii"]:
        # A histogram of log distances: one look at each pair, whatever the number of radii.
        octave = RADII_PER_OCTAVE * jnp.log2(widest / distance)
        bins = jnp.where(octave < 0, -1, jnp.minimum(octave, RADII - 1)).astype(jnp.int32)
        histogram = jnp.zeros(RADII + 1, jnp.int32).at[RADII - 1 - bins].add(1)
        return jnp.cumsum(histogram[:RADII]).astype(x.dtype)

    def around(i: Int[Array, ""]) -> Float[Array, "2 radii"]:
        distance = jnp.where(jnp.abs(index - i) > apart, 0.0, jnp.inf)
        counts = []
        for j in range(dimension + 1):
            distance = jnp.maximum(distance, jnp.abs(x[i + j * delay] - x[j * delay : j * delay + points]))
            if j >= dimension - 1:
                counts.append(count(distance))
        return jnp.stack(counts)

    counts = lax.map(around, evenly_spread(references, points), batch_size=BLOCK)
    return jnp.moveaxis(counts, 1, 0), points
