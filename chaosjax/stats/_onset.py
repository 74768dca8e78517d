"""The onset of chaos along a control parameter."""

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from chaosjax.stats._bootstrap import bootstrap, mean_interval, named
from chaosjax.stats._checks import require_dims, sort_log_axis


def onset(
    exponent: xr.DataArray,
    axis: str = "learning_rate",
    over: str = "seed",
    confidence: float = 0.95,
    level: float = 0.0,
    resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    r"""Return η_c, where the mean exponent last crosses `level` before its interval leaves it.

    Let η₁ be the smallest value of `axis` at which the lower end of the mean exponent's interval over `over`
    is above `level`, and (η₋, η₊) the last neighbours up to η₁ with a mean λ at or below `level`, then above.
    The crossing is interpolated,

    .. math:: \ln η_c = \ln η_- + \frac{ℓ - λ_-}{λ_+ - λ_-} (\ln η_+ - \ln η_-)

    and its interval comes from resampling whole seeds: a resample's crossing is the last one up to its first
    mean above `level` from η₁ on. Values of `axis` with a diverged (NaN) cell are passed over.

    Returns `onset`, `onset_low`, `onset_high` (units of `axis`), over any further dimensions of `exponent`;
    `found` (False and NaN where the interval never leaves `level`, as with a single seed; the attribute
    `reason` then says so) and `censored` (the mean is above `level` from the first value on: η_c is at or
    below it and that value is returned). Interval ends are kept within the grid: one that equals its first or
    last value is open.

    Raises:
        ValueError: a missing or empty dimension, or an axis with values that are not positive.
    """
    require_dims(exponent, "exponent", axis, over)
    exponent = sort_log_axis(exponent, "exponent", axis)
    mean = mean_interval(exponent, over, resamples, confidence, seed)
    chaotic = mean["low"] > level
    found = chaotic.any(axis)

    def location_of(cells: xr.DataArray) -> xr.DataArray:
        return crossing(cells.mean(over, skipna=False), chaotic.argmax(axis), axis, level).where(found)

    log_onset = bootstrap(location_of, exponent, over, resamples, confidence, seed)
    grid = exponent[axis].where(mean["estimate"].notnull())
    first, last = grid.min(axis), grid.max(axis)
    censored = log_onset["estimate"] == np.log(first)
    location = np.exp(log_onset)
    # exp(log(η)) is not η: a censored onset must be the grid's own value.
    location["estimate"] = location["estimate"].where(~censored, first)
    location = location.clip(first, last).where(found)
    attrs = {"long_name": f"onset in {axis}", "units": exponent[axis].attrs.get("units", "1")}
    result = named(location, "onset", **attrs).assign(found=found, censored=censored)
    result.attrs = mean.attrs | {"axis": axis, "level": level}
    if not bool(found.all()):
        why = f"the interval of the mean exponent never leaves {level} along {axis}"
        result.attrs["reason"] = why if exponent.sizes[over] > 1 else f"a single {over} has no interval"
    return result


def crossing(mean: xr.DataArray, first: xr.DataArray, axis: str = "learning_rate", level: float = 0.0) -> xr.DataArray:
    """Return ln η where a mean exponent last rises through `level` up to its first value above it from `first` on.

    The interpolation of `onset`, for bootstraps of one's own. `first` is an index along `axis`. ln of the first defined
    η where there is no rise, infinity where no mean from `first` on is above `level`.
    """
    arguments = (mean, np.log(mean[axis]), first, level)
    return xr.apply_ufunc(_crossing, *arguments, input_core_dims=[[axis], [axis], [], []])


def _crossing(
    mean: Float[np.ndarray, "*cells n"],
    log_axis: Float[np.ndarray, " n"],
    first: Int[np.ndarray, "*#cells"],
    level: float,
) -> Float[np.ndarray, "*cells"]:
    """Return ln η of the last rise through `level` up to the first mean above it from index `first` on.

    The first defined η where there is no rise, infinity where no mean is above `level`.
    """
    index = np.arange(mean.shape[-1])
    defined, above = ~np.isnan(mean), mean > level
    last_defined = np.maximum.accumulate(np.where(defined, index, 0), axis=-1)
    previous = np.concatenate([np.zeros_like(last_defined[..., :1]), last_defined[..., :-1]], axis=-1)
    leaves = above & (index >= np.asarray(first)[..., None])
    before = index <= leaves.argmax(axis=-1)[..., None]
    rises = above & before & (np.take_along_axis(mean, previous, axis=-1) <= level)
    upper = len(index) - 1 - rises[..., ::-1].argmax(axis=-1)[..., None]
    lower = np.take_along_axis(previous, upper, axis=-1)
    mean_lower, mean_upper = (np.take_along_axis(mean, i, axis=-1)[..., 0] for i in (lower, upper))
    log_lower, log_upper = log_axis[lower[..., 0]], log_axis[upper[..., 0]]
    risen = rises.any(axis=-1)
    step = (level - mean_lower) / np.where(risen, mean_upper - mean_lower, 1.0)
    start = log_axis[defined.argmax(axis=-1)]
    location = np.where(risen, log_lower + step * (log_upper - log_lower), start)
    return np.where(leaves.any(axis=-1), location, np.inf)
