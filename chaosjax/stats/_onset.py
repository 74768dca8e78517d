"""The onset of chaos along a control parameter."""

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from chaosjax.stats._bootstrap import DEFAULT, Resampling, bootstrap, mean_interval
from chaosjax.stats._checks import require_dims, sort_log_axis
from chaosjax.stats._interval import bounds, interval


def onset(
    exponent: xr.DataArray,
    axis: str = "learning_rate",
    over: str = "seed",
    *,
    level: float = 0.0,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return η_c, where the mean exponent last crosses `level` before its interval leaves it.

    Let η₁ be the smallest value of `axis` at which the lower end of the mean exponent's interval over `over`
    is above `level`, and (η₋, η₊) the last neighbours up to η₁ with a mean λ at or below `level`, then above.
    The crossing is interpolated,

    .. math:: \ln η_c = \ln η_- + \frac{ℓ - λ_-}{λ_+ - λ_-} (\ln η_+ - \ln η_-)

    and its interval comes from resampling whole seeds: a resample's crossing is the last one up to its first
    mean above `level` from η₁ on. Values of `axis` with a diverged (NaN) cell are passed over.

    Args:
        exponent: ``[..., axis, over]``, nats per step.
        level: exponent above which a value of `axis` counts as chaotic, nats per step.

    Returns:
        `onset`, ``[bound, ...]`` in the units of `axis`: its ends are kept within the grid, and one that equals the
        grid's first or last value is open. `found`: False, and the onset NaN, where the interval never leaves
        `level`, as with a single seed; the attribute `reason` then says so. `censored`: the mean is above `level`
        from the first value on, so that η_c is at or below it, and that value is returned.

    Raises:
        ValueError: a missing or empty dimension, or an axis with values that are not positive.
    """
    require_dims(exponent, "exponent", axis, over)
    exponent = sort_log_axis(exponent, "exponent", axis)
    mean, mean_low, _ = bounds(mean_interval(exponent, over, resampling=resampling))
    chaotic = mean_low > level
    found, first_chaotic = chaotic.any(axis), chaotic.argmax(axis)

    def log_onset(cells: xr.DataArray) -> xr.DataArray:
        return xr.ufuncs.log(crossing(cells.mean(over, skipna=False), first_chaotic, axis, level)).where(found)

    log_interval = bootstrap(log_onset, exponent, over, resampling=resampling)
    _, low, high = bounds(xr.ufuncs.exp(log_interval))
    grid = exponent[axis].where(mean.notnull())
    first, last = grid.min(axis), grid.max(axis)
    # Not exp(log(η)): a censored onset is the grid's own value.
    estimate = crossing(mean, first_chaotic, axis, level)
    location = interval(estimate, low, high).clip(first, last).where(found)
    attrs = {"long_name": f"onset in {axis}", "units": exponent[axis].attrs.get("units", "1")}
    result = xr.Dataset({"onset": location.assign_attrs(log_interval.attrs | attrs)})
    result = result.assign(found=found, censored=found & (estimate == first)).assign_attrs(axis=axis, level=level)
    if not bool(found.all()):
        why = f"the interval of the mean exponent never leaves {level} along {axis}"
        result.attrs["reason"] = why if exponent.sizes[over] > 1 else f"a single {over} has no interval"
    return result


def crossing(mean: xr.DataArray, first: xr.DataArray, axis: str = "learning_rate", level: float = 0.0) -> xr.DataArray:
    """Return η where a mean exponent last rises through `level` up to its first value above it from `first` on.

    The interpolation of `onset`, in ln η, for bootstraps of your own.

    Args:
        mean: ``[..., axis]``, nats per step; NaN is passed over.
        first: ``[...]``, an index along `axis`.
        level: nats per step.

    Returns:
        ``[...]``, in the units of `axis`. The first η whose mean is defined where there is no rise, infinity where no
        mean from `first` on is above `level`.
    """
    arguments = (mean, mean[axis], first, level)
    return xr.apply_ufunc(_crossing, *arguments, input_core_dims=[[axis], [axis], [], []])


def _crossing(
    mean: Float[np.ndarray, "*cells n"],
    grid: Float[np.ndarray, " n"],
    first: Int[np.ndarray, "*#cells"],
    level: float,
) -> Float[np.ndarray, "*cells"]:
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
    risen = rises.any(axis=-1)
    step = np.where(risen, level - mean_lower, 0.0) / np.where(risen, mean_upper - mean_lower, 1.0)
    eta_lower, eta_upper = grid[lower[..., 0]], grid[upper[..., 0]]
    location = np.where(risen, eta_lower * (eta_upper / eta_lower) ** step, grid[defined.argmax(axis=-1)])
    return np.where(leaves.any(axis=-1), location, np.inf)
