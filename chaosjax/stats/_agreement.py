"""Agreement of two estimates of the same exponents."""

import numpy as np
import xarray as xr

from chaosjax.stats._bootstrap import DEFAULT, Resampling, bootstrap
from chaosjax.stats._checks import require_dims


def agreement(
    ensemble: xr.DataArray,
    tangent: xr.DataArray,
    over: str = "seed",
    pool: tuple[str, ...] = (),
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Compare two estimates of each cell's exponent over the same window.

    .. math:: δ = λ_\mathrm{ensemble} - λ_\mathrm{tangent}

    over `over` and the dimensions in `pool`. Cells where an estimate is NaN cannot be compared and are left out.

    Args:
        ensemble, tangent: ``[..., over]``, nats per step.
        pool: further dimensions to average over, e.g. ("learning_rate",) for one number per sweep.

    Returns:
        `difference`, ``[bound, ...]``: the mean of δ in nats per step, its interval from resampling whole entries of
        `over`; `rms`, the root mean square of δ; `relative`, the median of \|δ\| / \|λ_tangent\|; `compared`, the
        number of cells.

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
    mean = bootstrap(average, difference, over, count=entries, resampling=resampling)
    result = xr.Dataset(
        {
            "difference": mean.assign_attrs(long_name="mean difference of the exponents", units="nats/step"),
            "rms": np.sqrt((difference**2).mean(pooled)),
            "relative": (abs(difference) / abs(tangent.where(tangent != 0))).median(pooled),
            "compared": difference.notnull().sum(pooled),
        }
    )
    result["rms"].attrs = {"long_name": "root mean square difference of the exponents", "units": "nats/step"}
    result["relative"].attrs = {"long_name": "median relative difference of the exponents", "units": "1"}
    result["compared"].attrs = {"long_name": "cells compared", "units": "1"}
    return result
