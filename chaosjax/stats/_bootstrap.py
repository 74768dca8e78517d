"""Bootstrap intervals over seeds."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from scipy.stats import norm, t

from chaosjax._checks import check_count
from chaosjax.stats._checks import require_dims
from chaosjax.stats._interval import interval

BLOCK = 2**24  # resampled values held in memory at once

Data = TypeVar("Data", bound=xr.DataArray | xr.Dataset)
Cells = TypeVar("Cells", bound=xr.DataArray | xr.Dataset, contravariant=True)


@dataclass(frozen=True, kw_only=True)
class Resampling:
    """How a bootstrap resamples.

    Args:
        resamples: number of resamples.
        confidence: coverage of the interval, between 0 and 1.
        seed: of the random numbers; the same seed draws the same resamples.

    Raises:
        ValueError: `resamples` or `confidence` is out of range.
    """

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        check_count("resamples", self.resamples)
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence={self.confidence!r} must be between 0 and 1, e.g. 0.95")


DEFAULT = Resampling()


class Statistic(Protocol[Cells]):
    """What `bootstrap` takes: a function of the data that averages, or otherwise removes, the resampled dimension."""

    def __call__(self, data: Cells, /) -> xr.DataArray:
        """Map ``[..., over]`` to ``[...]``, and ``[..., over, resample]`` to ``[..., resample]``."""
        ...


def bootstrap(
    statistic: Statistic[Data],
    data: Data,
    over: str = "seed",
    *,
    count: xr.DataArray | int | None = None,
    resampling: Resampling = DEFAULT,
) -> xr.DataArray:
    r"""Return a statistic of `data` and its bootstrap interval over whole entries of `over`.

    The same resampled seeds serve every other axis, so correlations between learning rates are kept. The
    interval is the percentile interval, its ends moved away from the estimate by the factor by which it is
    too narrow for a mean,

    .. math:: \frac{t_{n-1, 1-\alpha/2}}{z_{1-\alpha/2}} \sqrt{\frac{n}{n-1}}

    with n entries along `over`. This corrects the narrowness bias that Hesterberg describes on the scale of the
    statistic; his own remedy, quantiles further out, cannot leave the range of n = 5 values. Coverage of a
    nominal 95 % interval of the mean: 95 % for Gaussian samples of n = 3, 5, 8, 20; 93 to 95 % at skewness 1.

    Args:
        statistic: maps `data` to a DataArray without `over`, and keeps an added dimension, "resample". Resamples on
            which it is NaN are left out; where it is NaN on `data`, so is the interval.
        data: DataArray or Dataset with the dimension `over`.
        count: n where the statistic uses only some of the entries.

    Returns:
        ``[bound, ...]`` over the statistic's dimensions, with attrs `interval` (in words), `confidence`, `resamples`
        and `entries`. The ends are NaN for one entry, or a `count` of one.

    Raises:
        ValueError: `over` is missing or empty.

    Source: Hesterberg, Am. Stat. 69 (2015) 371.
    """
    require_dims(data, "data", over)
    data = data.drop_vars(over, errors="ignore")
    n, resamples, confidence = data.sizes[over], resampling.resamples, resampling.confidence
    estimate = statistic(data)
    draws = _resampled(statistic, data, over, np.random.default_rng(resampling.seed).integers(n, size=(resamples, n)))
    ends = xr.apply_ufunc(
        _tails,
        draws,
        (1 - confidence) / 2,
        input_core_dims=[["resample"], []],
        output_core_dims=[["tail"]],
    )
    ends = estimate + _widening(n if count is None else count, confidence) * (ends - estimate)
    kind = f"percentile bootstrap over {over}, widened for small n" if n > 1 else f"none: a single {over}"
    attrs = {"interval": kind, "confidence": confidence, "resamples": resamples, "entries": n}
    return interval(estimate, ends.isel(tail=0), ends.isel(tail=1), **attrs)


def mean_interval(
    cells: xr.DataArray, over: str = "seed", *, skipna: bool = False, resampling: Resampling = DEFAULT
) -> xr.DataArray:
    """Return the mean of `cells` over `over` and its `bootstrap` interval.

    Args:
        cells: ``[..., over]``.
        skipna: average over the cells that are not NaN; fewer than two of them have a NaN interval. Without it, a
            NaN cell makes mean and interval NaN.

    Returns:
        ``[bound, ...]``, with attrs as of `bootstrap`.

    Raises:
        ValueError: `over` is missing or empty.
    """
    require_dims(cells, "cells", over)

    def mean(cells: xr.DataArray) -> xr.DataArray:
        return cells.mean(over, skipna=skipna)

    return bootstrap(mean, cells, over, count=cells.count(over) if skipna else None, resampling=resampling)


def _resampled(
    statistic: Statistic[Data], data: Data, over: str, indices: Int[np.ndarray, "resample n"]
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
