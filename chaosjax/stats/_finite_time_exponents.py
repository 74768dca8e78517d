"""Finite-time and local Lyapunov exponents from accumulated growth."""

import numpy as np
import xarray as xr

from chaosjax.stats._checks import require_dims

Bound = float | xr.DataArray | None


def finite_time_exponents(growth: xr.DataArray, start: Bound = None, stop: Bound = None) -> xr.DataArray:
    r"""Return the finite-time Lyapunov exponents over the window (start, stop].

    .. math:: \lambda = \frac{1}{t_1 - t_0} \sum_{t_0 < t \le t_1} g(t)

    with g(t) [..., time, ...] the growth in nats accumulated over (t - stride, t]. The bounds are steps, or
    one step per cell (a DataArray over cell axes); they default to the whole run. Returns nats per step,
    without the time dimension. A cell that diverged inside its window is NaN, and so is one whose bounds are
    NaN.

    Raises:
        ValueError: no time dimension, a bound that is not a recorded time, or an empty window.
    """
    require_dims(growth, "growth", "time")
    time = growth["time"]
    lower = _bound(time, "start", time[0] if start is None else start)
    upper = _bound(time, "stop", time[-1] if stop is None else stop)
    if bool((lower >= upper).any()):
        raise ValueError(f"empty window: start={lower.values} is not before stop={upper.values}")
    # Cells missing from a bound would otherwise be dropped from the result by xarray's inner join.
    growth, lower, upper = xr.align(growth, lower, upper, join="exact")
    inside = (time > lower) & (time <= upper)
    exponent = growth.where(inside, 0.0).sum("time", skipna=False) / (upper - lower)
    return exponent.assign_attrs(long_name="finite-time Lyapunov exponent", units="nats/step")


def local_exponents(growth: xr.DataArray) -> xr.DataArray:
    r"""Return the local exponent at each record but the first, as nats per step.

    .. math:: \lambda(t) = g(t) / (t - t'), \quad t' \text{ the previous record}

    Shapes as in `finite_time_exponents`, with one time less: nothing has grown by the first record.

    Raises:
        ValueError: no time dimension, or a single record.
    """
    require_dims(growth, "growth", "time")
    if growth.sizes["time"] < 2:
        raise ValueError("growth has a single record; a local exponent needs two")
    exponent = growth.isel(time=slice(1, None)) / growth["time"].diff("time", label="upper")
    return exponent.assign_attrs(long_name="local Lyapunov exponent", units="nats/step")


def _bound(time: xr.DataArray, name: str, value: float | xr.DataArray) -> xr.DataArray:
    bound = xr.DataArray(value).drop_vars("time", errors="ignore")
    unrecorded = bound.values[~np.isin(bound, time) & ~np.isnan(bound)]
    if unrecorded.size:
        first, last = time.values[[0, -1]]
        raise ValueError(f"{name}={unrecorded[0]} is not a recorded time; records run from {first} to {last}")
    return bound
