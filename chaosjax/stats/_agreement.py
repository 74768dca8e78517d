"""Agreement of two estimates of the same exponents."""

import numpy as np
import xarray as xr

from chaosjax.stats._bootstrap import bootstrap, named
from chaosjax.stats._checks import require_dims


def agreement(
    ensemble: xr.DataArray,
    tangent: xr.DataArray,
    over: str = "seed",
    pool: tuple[str, ...] = (),
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    r"""Compare two estimates of each cell's exponent over the same window.

    .. math:: δ = λ_\mathrm{ensemble} - λ_\mathrm{tangent}

    over `over` and the dimensions in `pool`, e.g. ("learning_rate",) for one number per sweep. Cells where an
    estimate is NaN cannot be compared; `compared` counts the others.

    Returns `difference` (mean δ, nats per step) with the interval `difference_low`, `difference_high` from
    resampling whole entries of `over`; `rms` (root mean square δ); `relative` (median of abs δ / abs
    λ_tangent); `compared`.

    Raises:
        ValueError: a missing or empty dimension, or estimates on different cells.
    """
    pooled = [over, *pool]
    require_dims(ensemble, "ensemble", *pooled)
    require_dims(tangent, "tangent", *pooled)
    ensemble, tangent = xr.align(ensemble, tangent, join="exact")
    difference = ensemble - tangent

    def average(cells: xr.DataArray) -> xr.DataArray:
        return cells.mean(pooled, skipna=True)

    entries = difference.notnull().any(list(pool)).sum(over)
    interval = bootstrap(average, difference, over, resamples, confidence, seed, count=entries)
    result = named(interval, "difference", long_name="mean difference of the exponents", units="nats/step")
    result["rms"] = np.sqrt((difference**2).mean(pooled))
    result["rms"].attrs = {"long_name": "root mean square difference of the exponents", "units": "nats/step"}
    result["relative"] = (abs(difference) / abs(tangent.where(tangent != 0))).median(pooled)
    result["relative"].attrs = {"long_name": "median relative difference of the exponents", "units": "1"}
    result["compared"] = difference.notnull().sum(pooled)
    result["compared"].attrs = {"long_name": "cells compared", "units": "1"}
    return result
