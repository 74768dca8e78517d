"""Scaling regions: the stretch of a curve that is a straight line, or none."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jaxtyping import Bool, Float, Int
from scipy.stats import t

from chaosjax._checks import check_count
from chaosjax.series._embedding import as_floats
from chaosjax.series._estimate import Estimate, causes, estimate

LEAST_STEPS = 4
"""A straight line through fewer intervals says little."""

LARGEST_RELATIVE_ERROR = 0.02
"""Largest standard error of the slope, relative to the slope, of a line's misfit. Over windows of at least 2 nats
of growth the curves of noise, smoothed noise, random walks and quasi-periodic signals stay above 0.025, those of
chaotic maps with measurement noise below 0.013."""

BATCHES = 10
"""Batches of reference points for the interval."""

LEAST_REFERENCES = 5 * BATCHES
"""Reference points an interval needs."""

LEAST_DIVERGENCE = 2.0
"""Nats by which distances must grow in the scaling region of a divergence curve."""


class Region(NamedTuple):
    """A window start … stop of curve indices, both included."""

    start: Int[Array, ""]
    stop: Int[Array, ""]
    found: Bool[Array, ""]


def divergence_rate(
    x: Float[Array, " n"], curves: Float[Array, "references steps"], window: tuple[int, int] | None
) -> Estimate:
    """Return the slope of the mean of `curves` (log distances, step by step) in its scaling region or in `window`.

    Raises:
        ValueError: a window of fewer than two steps or outside the curves, or curves too short for a search.
    """
    horizon = curves.shape[1] - 1
    if window is None:
        check_count("horizon", horizon, LEAST_STEPS, what="or name the window of the fit")
    usable = jnp.isfinite(curves[:, 0])
    curve = jnp.nanmean(jnp.where(usable[:, None], curves, jnp.nan), axis=0)
    region = straightest(curve, LEAST_DIVERGENCE) if window is None else _given(window, horizon)
    value, misfit = slope_in(curve, region)
    slopes, _ = jax.vmap(slope_in, (0, None))(batch_means(curves, usable), region)
    width = half_width(slopes, misfit)
    return estimate(
        value,
        value - width,
        value + width,
        *causes(as_floats(x)),
        (jnp.sum(usable) < LEAST_REFERENCES, "too few neighbours"),
        (~region.found, "no scaling region"),
        (~jnp.isfinite(width), "too few neighbours"),
    )


def evenly_spread(references: int, points: int) -> Int[Array, " references"]:
    """Indices of `references` of the points, or of all.

    Raises:
        ValueError: fewer references than an interval needs.
    """
    references = min(check_count("references", references, LEAST_REFERENCES, what="ten batches of five"), points)
    return jnp.asarray(np.linspace(0, points, references, endpoint=False).astype(int))


def straightest(
    curve: Float[Array, " points"], least_growth: float, latest_start: Int[Array, ""] | None = None
) -> Region:
    """The window whose slope is best determined: the smallest standard error of a line's misfit over the slope.

    Windows have at least `LEAST_STEPS` intervals, grow by `least_growth` in all and start no later than
    `latest_start`; `found` says whether the error of the best is at most `LARGEST_RELATIVE_ERROR`. A window with a
    non-finite entry does not count.

    Cost: O(points²).
    """
    points = curve.size
    starts, stops = jnp.arange(points)[:, None], jnp.arange(points)[None, :]
    slope, error = _line_fits(curve)
    qualified = (stops - starts >= LEAST_STEPS) & (slope * (stops - starts) >= least_growth)
    if latest_start is not None:
        qualified = qualified & (starts <= latest_start)
    relative = jnp.where(qualified, error / slope, jnp.inf)
    relative = jnp.where(jnp.isnan(relative), jnp.inf, relative)
    start, stop = jnp.unravel_index(jnp.argmin(relative), relative.shape)
    return Region(start, stop, jnp.min(relative) <= LARGEST_RELATIVE_ERROR)


def slope_in(curve: Float[Array, " points"], region: Region) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The least-squares slope of `curve` over a window, per index, and the standard error of the line's misfit."""
    index = jnp.arange(curve.size, dtype=curve.dtype)
    inside = (index >= region.start) & (index <= region.stop)
    count = jnp.sum(inside, dtype=curve.dtype)
    centred = jnp.where(inside, index - (region.start + region.stop).astype(curve.dtype) / 2, 0.0)
    values = jnp.where(inside, curve, 0.0)
    values = jnp.where(inside, values - jnp.sum(values) / count, 0.0)
    spread = jnp.sum(centred**2)
    slope = jnp.sum(centred * values) / spread
    misfit = jnp.sum((values - slope * centred) ** 2)
    return slope, jnp.sqrt(misfit / jnp.maximum(count - 2, 1) / spread)


def batch_means(
    curves: Float[Array, "references points"], usable: Bool[Array, " references"]
) -> Float[Array, "batches points"]:
    """Means over successive tenths of the usable reference points, NaN entries left out."""
    rank = jnp.cumsum(usable) - 1
    batch = jnp.where(usable, rank * BATCHES // jnp.maximum(jnp.sum(usable), 1), BATCHES)
    present = jnp.isfinite(curves)
    sums, counts = (
        jax.ops.segment_sum(values, batch, BATCHES + 1)[:BATCHES]
        for values in (jnp.where(present, curves, 0.0), present.astype(curves.dtype))
    )
    return sums / counts


def half_width(slopes: Float[Array, " batches"], misfit: Float[Array, ""], inflation: float = 1.0) -> Float[Array, ""]:
    """Half of a 95 % t interval: the slopes of the batches, `inflation` times their standard error, and the misfit."""
    error = inflation * jnp.std(slopes, ddof=1) / jnp.sqrt(BATCHES)
    return float(t.ppf(0.975, BATCHES - 1)) * jnp.sqrt(error**2 + misfit**2)


def _given(window: tuple[int, int], horizon: int) -> Region:
    start, stop = window
    if not 0 <= start <= stop - 2 <= horizon - 2:
        raise ValueError(f"window={window} must span at least two steps between 0 and horizon={horizon}")
    return Region(jnp.asarray(start), jnp.asarray(stop), jnp.asarray(True))


def _line_fits(curve: Float[Array, " points"]) -> tuple[Float[Array, "points points"], Float[Array, "points points"]]:
    """Slope and its standard error over every window [start, stop], by running sums over the windows of each start."""
    points = curve.size
    index = jnp.arange(points, dtype=curve.dtype)

    def fits_from(start: Int[Array, ""]) -> tuple[Float[Array, " points"], Float[Array, " points"]]:
        inside = index >= start
        # Relative to the window's first point, so that the running sums lose no digits to a common offset.
        along = jnp.where(inside, index - start, 0.0)
        value = jnp.where(inside, curve - curve[start], 0.0)
        count = jnp.maximum(along + 1, 3)
        first, second, third = jnp.cumsum(along), jnp.cumsum(value), jnp.cumsum(along * value)
        spread = jnp.cumsum(along**2) - first**2 / count
        covariance = third - first * second / count
        variance = jnp.cumsum(value**2) - second**2 / count
        slope = covariance / jnp.maximum(spread, 1.0)
        misfit = jnp.maximum(variance - slope * covariance, 0.0)
        return slope, jnp.sqrt(misfit / jnp.maximum(count - 2, 1) / jnp.maximum(spread, 1.0))

    return lax.map(fits_from, jnp.arange(points))
