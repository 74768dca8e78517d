"""Finite-time and local Lyapunov exponents from accumulated growth."""

import numpy as np
import xarray as xr

from chaosjax.stats._checks import require_dims

Time = float | xr.DataArray | None


def finite_time_exponents(
    growth: xr.DataArray, start: Time = None, stop: Time = None, known: xr.DataArray | None = None
) -> xr.DataArray:
    r"""Return the finite-time Lyapunov exponents over the window (start, stop].

    .. math:: \lambda = \frac{1}{t_1 - t_0} \sum_{t_0 < t \le t_1} g(t)

    Args:
        growth: ``[..., time, ...]``, g(t): the nats accumulated over (t - stride, t].
        start, stop: t₀ and t₁, recorded times in steps: one for all cells, or an array over cell axes with one per
            cell. None stands for the first and the last recorded time.
        known: which of the growth the frame could know, as ``lyapunov(reseed=…)`` and ``lyapunov(witness=…)`` record it
            under ``_known``.

    Returns:
        ``[...]``, nats per step. NaN for a cell that diverged inside its window, or whose window is NaN, or holds a
        record that is not known.

    Raises:
        ValueError: no time dimension, a `start` or `stop` that is not a recorded time, or an empty window.
    """
    require_dims(growth, "growth", "time")
    time = growth["time"]
    lower = _recorded(time, "start", time[0] if start is None else start)
    upper = _recorded(time, "stop", time[-1] if stop is None else stop)
    if bool((lower >= upper).any()):
        raise ValueError(f"empty window: start={lower.values} is not before stop={upper.values}")
    # Cells missing from start or stop would otherwise be dropped from the result by xarray's inner join.
    growth, lower, upper = xr.align(growth, lower, upper, join="exact")
    inside = (time > lower) & (time <= upper)
    if known is not None:
        growth = growth.where(known.astype(bool))
    exponent = growth.where(inside, 0.0).sum("time", skipna=False) / (upper - lower)
    return exponent.assign_attrs(long_name="finite-time Lyapunov exponent", units="nats/step")


def local_exponents(growth: xr.DataArray) -> xr.DataArray:
    r"""Return the local exponent at each record but the first, as nats per step.

    .. math:: \lambda(t) = g(t) / (t - t'), \quad t' \text{ the previous record}

    Args:
        growth: ``[..., time, ...]``, nats.

    Returns:
        ``[..., time, ...]`` with one time less: nothing has grown by the first record.

    Raises:
        ValueError: no time dimension, or a single record.
    """
    require_dims(growth, "growth", "time")
    if growth.sizes["time"] < 2:
        raise ValueError("growth has a single record; a local exponent needs two")
    exponent = growth.isel(time=slice(1, None)) / growth["time"].diff("time", label="upper")
    return exponent.assign_attrs(long_name="local Lyapunov exponent", units="nats/step")


def first_exponent(growth: xr.DataArray) -> xr.DataArray:
    """Return the growth of the first, largest exponent: `growth` without its dimension ``exponent``, if it has one."""
    return growth.isel(exponent=0, drop=True) if "exponent" in growth.dims else growth


def tangent_in_windows(growth: xr.DataArray, fit: xr.Dataset) -> xr.DataArray:
    """Return the tangent's largest finite-time exponent of each cell in the window that was fitted to its ensemble.

    Args:
        growth: ``[..., time, (exponent)]``, nats, as `probes.lyapunov` records it.
        fit: `start` and `stop` per cell, as `exponential_window` and `linear_window` return them.

    Returns:
        ``[...]``, nats per step; NaN where a cell has no window.

    Raises:
        ValueError: as `finite_time_exponents`.
    """
    return finite_time_exponents(first_exponent(growth), fit["start"], fit["stop"])


def _recorded(time: xr.DataArray, name: str, value: float | xr.DataArray) -> xr.DataArray:
    given = xr.DataArray(value).drop_vars("time", errors="ignore")
    unrecorded = given.values[~np.isin(given, time) & ~np.isnan(given)]
    if unrecorded.size:
        first, last = time.values[[0, -1]]
        raise ValueError(f"{name}={unrecorded[0]} is not a recorded time; records run from {first} to {last}")
    return given
