"""Training time: the first passage of a series through a threshold."""

import xarray as xr

from chaosjax.stats._bootstrap import mean_interval, named
from chaosjax.stats._checks import require_dims
from chaosjax.stats._fraction import fraction


def first_passage(series: xr.DataArray, threshold: float | xr.DataArray) -> xr.Dataset:
    r"""Return when a series first reaches a threshold.

    .. math:: \tau = \min \{ t : s(t) \ge \theta \}

    over the recorded times of `series` [..., time]. The threshold is a number, or a DataArray over cell axes
    or axes of its own (several thresholds at once). Returns `first_passage` (steps, NaN where never),
    `reached` (bool) and `restricted_time` = min(τ, T) with T the last recorded time, which counts a cell that
    did not reach, or diverged before, as T: a lower bound for that cell.

    Raises:
        ValueError: no time dimension.
    """
    require_dims(series, "series", "time")
    # In the dtype of the series: a float32 accuracy of 0.9 has reached 0.9, but is less than the float64 0.9.
    hit = series >= xr.DataArray(threshold).astype(series.dtype)
    reached = hit.any("time")
    time = series["time"]
    at = time[hit.argmax("time")].drop_vars("time")
    passage = xr.Dataset(
        {
            "first_passage": at.where(reached),
            "reached": reached,
            "restricted_time": at.where(reached, time[-1].item()).astype(float),
        },
        attrs={"horizon": time[-1].item()},
    )
    passage["first_passage"].attrs = {"long_name": "first passage", "units": "step"}
    passage["reached"].attrs = {"long_name": "threshold reached"}
    passage["restricted_time"].attrs = {"long_name": "first passage or last recorded time", "units": "step"}
    return passage


def training_time(
    accuracy: xr.DataArray,
    threshold: float | xr.DataArray,
    over: str = "seed",
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> xr.Dataset:
    r"""Return the mean training time over seeds, without losing the seeds that never reached the threshold.

    .. math:: \mathtt{training\_time} = \langle \min(\tau, T) \rangle

    the restricted mean (Royston and Parmar 2013, BMC Med. Res. Methodol. 13:152) of the `first_passage` τ, T
    the last recorded time. It is the mean training time where every seed reached the threshold. Elsewhere it
    is a lower bound of it, marked `censored`, and still ranks learning rates, which the mean over those that
    reached does not.

    Returns `training_time` (steps), `reached_fraction`, and `reached_time`, the mean over the seeds that
    reached (NaN if none), each with `_low` and `_high`: bootstrap intervals of the means, the Clopper-Pearson
    interval of the fraction; and `censored`.

    Raises:
        ValueError: a missing or empty dimension.
    """
    require_dims(accuracy, "accuracy", "time", over)
    passage = first_passage(accuracy, threshold)
    first, horizon = accuracy["time"].values[0], passage.attrs["horizon"]
    resampling = (over, resamples, confidence, seed)
    time = mean_interval(passage["restricted_time"], *resampling).clip(first, horizon, keep_attrs=True)
    reached_time = mean_interval(passage["first_passage"], *resampling, skipna=True)
    reached_time = reached_time.clip(first, horizon, keep_attrs=True)
    reached_fraction = fraction(passage["reached"], over, confidence)
    summary = xr.merge(
        [
            named(time, "training_time", long_name="mean training time", units="step"),
            named(reached_time, "reached_time", long_name="mean time of seeds that reached", units="step"),
            named(reached_fraction, "reached_fraction", long_name="fraction that reached", units="1"),
        ],
        combine_attrs="override",
    )
    summary["censored"] = summary["reached_fraction"] < 1
    summary["censored"].attrs = {"long_name": "training time is a lower bound"}
    return summary.assign_attrs(passage.attrs)
