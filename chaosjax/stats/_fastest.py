"""The learning rate of fastest training, and what chaos gains."""

import numpy as np
import xarray as xr

from chaosjax.stats._bootstrap import DEFAULT, Resampling, bootstrap
from chaosjax.stats._checks import require_dims, sort_log_axis
from chaosjax.stats._first_passage import first_passage
from chaosjax.stats._interval import bounds, interval


def fastest(
    accuracy: xr.DataArray,
    threshold: float | xr.DataArray = 0.9,
    axis: str = "learning_rate",
    over: str = "seed",
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return the value of `axis` with the shortest mean training time to a threshold.

    .. math:: η^* = \arg\min_η \langle \min(\tau_η, T) \rangle

    with the restricted mean of `training_time` over `over`, so that a learning rate is not fast because most
    seeds failed there. Both intervals resample whole seeds and search again each time. η* is known to the
    spacing of the grid at best, even where its interval has no width, and the time, being the least of
    several noisy means, is biased low.

    Args:
        accuracy: ``[..., axis, over, time]``.
        threshold: as in `first_passage`.

    Returns:
        `fastest`, ``[bound, ...]``, its estimate a grid value; `training_time` there, ``[bound, ...]`` (steps);
        `reached_fraction` there; `censored`: some seed did not reach the threshold there, and the time is a lower
        bound. NaN, and the attribute `reason`, where no seed reached the threshold anywhere.

    Raises:
        ValueError: a missing or empty dimension, or an axis with values that are not positive.
    """
    require_dims(accuracy, "accuracy", "time", axis, over)
    passage = first_passage(sort_log_axis(accuracy, "accuracy", axis), threshold)
    cells, grid, horizon = passage["restricted_time"], passage[axis], passage.attrs["horizon"]

    def shortest(cells: xr.DataArray) -> xr.DataArray:
        least = cells.mean(over).min(axis)
        return least.where(least < horizon)

    def location(cells: xr.DataArray) -> xr.DataArray:
        return cells.mean(over).idxmin(axis).where(shortest(cells).notnull()).pipe(np.log)

    time = bootstrap(shortest, cells, over, resampling=resampling)
    found = bounds(time)[0].notnull()
    _, low, high = bounds(xr.ufuncs.exp(bootstrap(location, cells, over, resampling=resampling)))
    at = cells.mean(over).argmin(axis)
    # Not exp(log(η)): the estimate is the grid's own value.
    best = grid.isel({axis: at}).drop_vars(axis).where(found)
    reached = passage["reached"].mean(over).isel({axis: at}).drop_vars(axis)
    result = xr.Dataset(
        {
            "fastest": interval(best, low, high).clip(grid.min(), grid.max()),
            "training_time": time.clip(accuracy["time"].values[0], horizon),
            "reached_fraction": reached,
            "censored": reached < 1,
        },
        attrs={"axis": axis, "horizon": horizon},
    )
    names = {"long_name": f"{axis} of fastest training", "units": grid.attrs.get("units", "1")}
    result["fastest"].attrs = time.attrs | names
    names = {"long_name": f"mean training time at the fastest {axis}", "units": "steps"}
    result["training_time"].attrs = time.attrs | names
    if not bool(found.all()):
        result.attrs["reason"] = f"no {over} reached the threshold before step {horizon}"
    return result


def speed_up(
    accuracy: xr.DataArray,
    onset: float | xr.DataArray,
    threshold: float | xr.DataArray = 0.9,
    axis: str = "learning_rate",
    over: str = "seed",
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return how much faster training is at the best chaotic learning rate than at the best other.

    .. math:: \frac{\min_{η < η_c} T_η}{\min_{η \ge η_c} T_η}, \quad T_η = \langle \min(\tau_η, T) \rangle

    with the restricted mean of `training_time`. Below 1 chaos is slower. Where the fastest learning rate is
    chaotic this is the gain of the fastest over the best non-chaotic one. The interval resamples whole seeds
    and searches both minima again each time, at the given `onset`.

    Args:
        accuracy: ``[..., axis, over, time]``.
        onset: η_c: a number, an array ``[...]``, or an interval ``[bound, ...]``, of which the estimate is taken.
        threshold: as in `first_passage`.

    Returns:
        `speed_up`, ``[bound, ...]``; and for `chaotic` and `non_chaotic` the best value of `axis`, its `_time` (steps)
        and `_reached`, the fraction of seeds that reached the threshold: where that is below 1 for the non-chaotic
        one only, the speed-up is a lower bound. NaN, and the attribute `reason`, where one side of the onset has no
        grid value, no seed reached the threshold on either side, or a time is 0.

    Raises:
        ValueError: a missing or empty dimension.
    """
    require_dims(accuracy, "accuracy", "time", axis, over)
    onset = xr.DataArray(onset)
    onset = (bounds(onset)[0] if "bound" in onset.dims else onset).drop_vars("bound", errors="ignore")
    passage = first_passage(accuracy, threshold)
    cells, horizon = passage["restricted_time"], passage.attrs["horizon"]
    sides = {"chaotic": passage[axis] >= onset, "non_chaotic": passage[axis] < onset}

    def log_ratio(cells: xr.DataArray) -> xr.DataArray:
        mean = cells.mean(over)
        chaotic, non_chaotic = (mean.where(side).min(axis) for side in sides.values())
        defined = (chaotic > 0) & (non_chaotic > 0) & ((chaotic < horizon) | (non_chaotic < horizon))
        return (non_chaotic / chaotic).where(defined).pipe(np.log)

    log_gain = bootstrap(log_ratio, cells, over, resampling=resampling)
    gain = xr.ufuncs.exp(log_gain).assign_attrs(log_gain.attrs, long_name="speed-up by chaos", units="1")
    result = xr.Dataset({"speed_up": gain}, attrs={"axis": axis, "horizon": horizon})
    mean, reached = cells.mean(over), passage["reached"].mean(over)
    for name, side in sides.items():
        times = mean.where(side)
        result[name] = times.idxmin(axis)
        result[f"{name}_time"] = times.min(axis)
        result[f"{name}_time"].attrs = {"long_name": f"mean training time at {name} {axis}", "units": "steps"}
        result[f"{name}_reached"] = reached.where(passage[axis] == result[name]).max(axis)
    if bool(bounds(gain)[0].isnull().any()):
        result.attrs["reason"] = (
            f"one side of onset={onset.values} has no {axis}, none reached the threshold, or a time is 0"
        )
    return result
