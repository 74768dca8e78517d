"""Training time: the first passage of a series through a threshold."""

import xarray as xr

from chaosjax.stats._bootstrap import DEFAULT, Resampling, mean_interval
from chaosjax.stats._checks import require_dims
from chaosjax.stats._fraction import fraction


def first_passage(series: xr.DataArray, threshold: float | xr.DataArray) -> xr.Dataset:
    r"""Return when a series first reaches a threshold.

    .. math:: \tau = \min \{ t : s(t) \ge \theta \}

    Args:
        series: ``[..., time]``.
        threshold: a number, or an array over cell axes or axes of its own (several thresholds at once).

    Returns:
        `first_passage` τ (steps, among the recorded times, NaN where never); `reached` (bool); `restricted_time`,
        min(τ, T) with T the last recorded time: it counts a cell that did not reach the threshold, or diverged
        before, as T, which is a lower bound for that cell. The attribute `horizon` is T.

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
    passage["first_passage"].attrs = {"long_name": "first passage", "units": "steps"}
    passage["reached"].attrs = {"long_name": "threshold reached"}
    passage["restricted_time"].attrs = {"long_name": "first passage or last recorded time", "units": "steps"}
    return passage


def training_time(
    accuracy: xr.DataArray,
    threshold: float | xr.DataArray,
    over: str = "seed",
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return the mean training time over seeds, without losing the seeds that never reached the threshold.

    .. math:: \mathtt{training\_time} = \langle \min(\tau, T) \rangle

    the restricted mean of the `first_passage` τ, T the last recorded time. It is the mean training time where every
    seed reached the threshold. Elsewhere it is a lower bound of it, marked `censored`, and still ranks learning
    rates, which the mean over those that reached does not.

    Args:
        accuracy: ``[..., time, over]``.
        threshold: as in `first_passage`.

    Returns:
        Each ``[bound, ...]``: `training_time` (steps); `reached_time` (steps), the mean over the seeds that reached,
        NaN if none did; `reached_fraction`, with its Clopper-Pearson interval. And `censored` (bool).

    Raises:
        ValueError: a missing or empty dimension.

    Source: Royston, Parmar, BMC Med. Res. Methodol. 13 (2013) 152.
    """
    require_dims(accuracy, "accuracy", "time", over)
    passage = first_passage(accuracy, threshold)
    first, horizon = accuracy["time"].values[0], passage.attrs["horizon"]
    time = mean_interval(passage["restricted_time"], over, resampling=resampling)
    reached_time = mean_interval(passage["first_passage"], over, skipna=True, resampling=resampling)
    reached = fraction(passage["reached"], over, resampling.confidence)
    summary = xr.Dataset(
        {
            "training_time": time.clip(first, horizon).assign_attrs(
                time.attrs, long_name="mean training time", units="steps"
            ),
            "reached_time": reached_time.clip(first, horizon).assign_attrs(
                time.attrs, long_name="mean time of seeds that reached", units="steps"
            ),
            "reached_fraction": reached.assign_attrs(long_name="fraction that reached", units="1"),
            "censored": ~passage["reached"].all(over),
        }
    )
    summary["censored"].attrs = {"long_name": "training time is a lower bound"}
    return summary.assign_attrs(passage.attrs)
