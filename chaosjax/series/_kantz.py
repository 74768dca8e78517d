"""The largest Lyapunov exponent of a scalar series from all neighbours within a radius."""

import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Bool, Float, Int

from chaosjax.series._compiled import compiled
from chaosjax.series._embedding import checked, theiler_window
from chaosjax.series._estimate import Estimate
from chaosjax.series._scaling import LEAST_REFERENCES, divergence_rate, evenly_spread

BLOCK = 32
"""Reference points whose neighbours are followed together."""

NEIGHBOURS = 5
"""Neighbours of each reference point where no radius is given."""


@compiled
def kantz(
    x: Float[Array, " n"],
    dimension: int = 2,
    delay: int = 1,
    radius: float | None = None,
    theiler: int | None = None,
    horizon: int = 25,
    references: int = 1000,
    window: tuple[int, int] | None = None,
    average: str = "log",
) -> Estimate:
    r"""Estimate the largest Lyapunov exponent as the rate at which the neighbours of reference points leave them.

    .. math:: λ = \frac{d}{dk} S(k), \quad
        S(k) = \left\langle \frac{1}{|U_i|} \sum_{j \in U_i} \ln |x_{i+(m-1)τ+k} - x_{j+(m-1)τ+k}| \right\rangle_i

    with U_i the delay vectors less than `radius` away from y_i in the maximum norm and more than `theiler` samples
    in time. The scaling region is found, and null series are rejected, as by `rosenstein`. Danovski, Soriano and
    Lacasa (2024, Front. Complex Syst. 2:1367957) use dimension=1, radius=5e-5, references=1000, window=(0, 10).

    Args:
        x: the series, in any unit: without `radius` the estimate of a x + b is that of x.
        dimension: m, of the embedding.
        delay: τ, in samples.
        radius: in the unit of x; None gives each reference point its five nearest neighbours at distinct distances.
        theiler: in samples; None takes the mean period (`mean_period`), 3 or 4 samples for maps.
        horizon: steps followed, at least 4.
        references: reference points, evenly spread over the series; all where it has fewer.
        window: first and last step of the fit, both included, in place of the search: a slope is then returned
            whatever the shape of S.
        average: "log" as above, zero distances left out, or "distance" for the logarithm of the mean distance, as
            Kantz: the fastest neighbours dominate it, and it exceeds λ by some 2 % for the maps from 5,000 points.

    Returns:
        `Estimate` in nats per step; interval and reasons as for `rosenstein`, over the reference points that have a
        neighbour.

    Raises:
        ValueError: an embedding or horizon too long for the series, a radius that is not positive, an unknown
            `average`, or a window outside the horizon.

    Cost: O(references · n · horizon) distances, O(references · horizon + 32 n) memory.

    Source: Kantz, Phys. Lett. A 185 (1994) 77.
    """
    curves = kantz_curves(x, dimension, delay, radius, theiler, horizon, references, average)
    return divergence_rate(x, curves, window)


@compiled
def kantz_curves(
    x: Float[Array, " n"],
    dimension: int = 2,
    delay: int = 1,
    radius: float | None = None,
    theiler: int | None = None,
    horizon: int = 25,
    references: int = 1000,
    average: str = "log",
) -> Float[Array, "references steps"]:
    """Return the log of the neighbours' mean distance for k = 0 … horizon and each reference point.

    Their mean is S(k), the slope of one of them a finite exponent. NaN where a reference point has no neighbour or
    all have distance 0. Arguments and errors as for `kantz`.
    """
    if average not in ("distance", "log"):
        raise ValueError(f"average={average!r} must be 'log' or 'distance' (as Kantz)")
    if isinstance(radius, (int, float)) and not radius > 0:
        raise ValueError(f"radius={radius} must be positive, or None for five neighbours of each point")
    x, count = checked(x, dimension, delay, horizon, LEAST_REFERENCES)
    apart, index, last = theiler_window(x, theiler), jnp.arange(count), (dimension - 1) * delay

    def follow(i: Int[Array, ""]) -> Float[Array, " steps"]:
        distance = jnp.zeros(count, x.dtype)
        for j in range(dimension):
            distance = jnp.maximum(distance, jnp.abs(x[i + j * delay] - x[j * delay : j * delay + count]))
        distance = jnp.where(jnp.abs(index - i) > apart, distance, jnp.inf)
        # A known number of neighbours is followed by their indices, an unknown one by a mask over all points.
        near, neighbours = _nearest(distance) if radius is None else (distance < radius, index)

        def mean_at(k: Int[Array, ""]) -> Float[Array, ""]:
            separation = jnp.abs(x[i + last + k] - x[neighbours + last + k])
            if average == "distance":
                return jnp.log(jnp.sum(jnp.where(near, separation, 0.0)) / jnp.sum(near))
            kept = near & (separation > 0)
            return jnp.sum(jnp.where(kept, jnp.log(separation), 0.0)) / jnp.sum(kept)

        curve = lax.map(mean_at, jnp.arange(horizon + 1))
        return jnp.where(jnp.isfinite(curve), curve, jnp.nan)

    return lax.map(follow, evenly_spread(references, count), batch_size=BLOCK)


def _nearest(
    distance: Float[Array, " n"],
) -> tuple[Bool[Array, " neighbours"], Int[Array, " neighbours"]]:
    """The indices of the nearest points at nonzero distances, and whether there is such a point."""

    def next_nearest(
        beyond: Float[Array, ""], _: None
    ) -> tuple[Float[Array, ""], tuple[Bool[Array, ""], Int[Array, ""]]]:
        farther = jnp.where(distance > beyond, distance, jnp.inf)
        j = jnp.argmin(farther)
        return farther[j], (jnp.isfinite(farther[j]), j)

    # Successive minima: a full sort of each row would cost more than everything else.
    return lax.scan(next_nearest, jnp.zeros((), distance.dtype), length=NEIGHBOURS)[1]
