"""Bootstrap intervals over seeds."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from scipy.stats import norm, t

from chaosjax.stats._checks import require_dims

Statistic = Callable[..., xr.DataArray]
BLOCK = 2**24  # resampled values held in memory at once


def bootstrap(
    statistic: Statistic,
    data: xr.DataArray | xr.Dataset,
    over: str = "seed",
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    count: xr.DataArray | int | None = None,
) -> xr.Dataset:
    r"""Return a statistic of `data` and its bootstrap interval over whole entries of `over`.

    The same resampled seeds serve every other axis, so correlations between learning rates are kept. The
    interval is the percentile interval, its ends moved away from the estimate by the factor by which it is
    too narrow for a mean,

    .. math:: \frac{t_{n-1, 1-\alpha/2}}{z_{1-\alpha/2}} \sqrt{\frac{n}{n-1}}

    with n entries along `over`, or `count` of them where the statistic uses only some. This corrects the
    narrowness bias described by Hesterberg (2015, The American Statistician 69, 371) on the scale of the
    statistic; his own remedy, quantiles further out, cannot leave the range of n = 5 values. Coverage of a
    nominal 95 % interval of the mean: 95 % for Gaussian samples of n = 3, 5, 8, 20; 93 to 95 % at skewness 1.
    One entry, or a `count` of one, gives a NaN interval.

    `statistic` maps `data` (DataArray or Dataset) to a DataArray without `over` and must keep an added
    dimension, "resample". Resamples on which it is NaN are left out; where it is NaN on `data`, so is the
    interval.

    Returns `estimate`, `low`, `high` over the statistic's dimensions.

    Raises:
        ValueError: `over` is missing or empty, or `confidence` or `resamples` is out of range.
    """
    require_dims(data, "data", over)
    if not 0 < confidence < 1 or resamples < 1:
        raise ValueError(f"need 0 < confidence < 1 and resamples >= 1, got {confidence} and {resamples}")
    data = data.drop_vars(over, errors="ignore")
    n = data.sizes[over]
    estimate = statistic(data)
    draws = _resampled(statistic, data, over, np.random.default_rng(seed).integers(n, size=(resamples, n)))
    ends = xr.apply_ufunc(
        _tails,
        draws,
        (1 - confidence) / 2,
        input_core_dims=[["resample"], []],
        output_core_dims=[["tail"]],
    )
    ends = estimate + _widening(n if count is None else count, confidence) * (ends - estimate)
    interval = f"percentile bootstrap over {over}, widened for small n" if n > 1 else f"none: a single {over}"
    return xr.Dataset(
        {"estimate": estimate, "low": ends.isel(tail=0), "high": ends.isel(tail=1)},
        attrs={"interval": interval, "confidence": confidence, "resamples": resamples, "entries": n},
    )


def mean_interval(
    cells: xr.DataArray,
    over: str = "seed",
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
    *,
    skipna: bool = False,
) -> xr.Dataset:
    """Return the mean of `cells` over `over` and its `bootstrap` interval: `estimate`, `low`, `high`.

    A NaN cell makes the mean NaN, unless `skipna`: then the mean is over the other cells, and fewer than two
    of them have a NaN interval.

    Raises:
        ValueError: as `bootstrap`.
    """
    require_dims(cells, "cells", over)

    def mean(cells: xr.DataArray) -> xr.DataArray:
        return cells.mean(over, skipna=skipna)

    count = cells.count(over) if skipna else None
    return bootstrap(mean, cells, over, resamples, confidence, seed, count)


def named(interval: xr.Dataset, name: str, **attrs: str) -> xr.Dataset:
    """Rename `estimate`, `low`, `high` to `name`, `name_low`, `name_high` and give the three `attrs`."""
    renamed = interval.rename(estimate=name, low=f"{name}_low", high=f"{name}_high")
    for variable in renamed.values():
        variable.attrs = dict(attrs)
    return renamed


def _resampled(
    statistic: Statistic, data: xr.DataArray | xr.Dataset, over: str, indices: Int[np.ndarray, "resample n"]
) -> xr.DataArray:
    size = data.size if isinstance(data, xr.DataArray) else sum(variable.size for variable in data.values())
    block = max(1, BLOCK // size)
    pieces = [
        statistic(data.isel({over: xr.DataArray(indices[i : i + block], dims=("resample", over))}))
        for i in range(0, len(indices), block)
    ]
    return xr.concat(pieces, "resample", coords="minimal", compat="override", join="exact")


def _tails(draws: Float[np.ndarray, "*cells resample"], tail: float) -> Float[np.ndarray, "*cells 2"]:
    # Not interpolated: a resample may be infinite (an onset beyond the grid). NaN sorts last.
    ordered = np.sort(draws, axis=-1)
    defined = (~np.isnan(draws)).sum(axis=-1, keepdims=True)
    low = np.floor(tail * defined).astype(int)
    return np.take_along_axis(ordered, np.concatenate([low, defined - 1 - low], axis=-1), axis=-1)


def _widening(n: xr.DataArray | int, confidence: float) -> xr.DataArray:
    n = xr.DataArray(n).where(lambda n: n > 1)
    tail = (1 + confidence) / 2
    return xr.apply_ufunc(t.ppf, tail, n - 1) / norm.ppf(tail) * np.sqrt(n / (n - 1))
