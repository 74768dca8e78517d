"""An interval is one array with the dimension `bound`: how it is made, taken apart, told and judged."""

from typing import Any

import numpy as np
import xarray as xr

BOUNDS = ("estimate", "low", "high")


def interval(
    estimate: xr.DataArray | float, low: xr.DataArray | float, high: xr.DataArray | float, **attrs: Any
) -> xr.DataArray:
    """Return an estimate and the two ends of its interval as one array.

    Args:
        estimate, low, high: ``[...]``, in the same units; dimensions that one of them lacks are broadcast.
        attrs: attributes of the result, e.g. `long_name` and `units`.

    Returns:
        ``[bound, ...]`` with the coordinate values "estimate", "low" and "high" along ``bound``.

    Raises:
        ValueError: the three have different coordinate values along a dimension, or one has a dimension ``bound``.
    """
    parts = [xr.DataArray(part).drop_vars("bound", errors="ignore") for part in (estimate, low, high)]
    if any("bound" in part.dims for part in parts):
        raise ValueError(
            "an interval of intervals: the data has a dimension 'bound'; take the estimate, bounds(data)[0]"
        )
    parts = xr.broadcast(*xr.align(*parts, join="exact"))
    # Strings of no fixed length: others have no format in Zarr that all readers know.
    names = xr.DataArray(np.array(BOUNDS, dtype=object), dims="bound", name="bound")
    whole = xr.concat(parts, names, coords="minimal", compat="override")
    return whole.rename(None).drop_attrs(deep=False).assign_attrs(attrs)


def bounds(interval: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return estimate, low and high of an `interval`, each without the dimension ``bound``."""
    estimate, low, high = (interval.sel(bound=name, drop=True) for name in BOUNDS)
    return estimate, low, high


def format_interval(interval: xr.DataArray, unit: str = "") -> str:
    """Return one interval in words, to three digits: "1.11 [1.09, 1.19] nats/step".

    "none found" where the estimate is NaN, "1.11 (no interval)" where an end is.

    Args:
        interval: ``[bound]``.
        unit: follows the number after a space.
    """
    estimate, low, high = map(float, bounds(interval))
    if np.isnan(estimate):
        return "none found"
    unit = f" {unit}" if unit else ""
    if np.isnan([low, high]).any():
        return f"{estimate:.3g}{unit} (no interval)"
    return f"{estimate:.3g} [{low:.3g}, {high:.3g}]{unit}"


def above(interval: xr.DataArray, level: float) -> bool | None:
    """Return whether a quantity is above `level`: True or False as its whole interval ``[bound]`` says, else None.

    A low end equal to `level` is not above it. None where the interval holds `level`, or is NaN.
    """
    _, low, high = map(float, bounds(interval))
    return True if low > level else False if high <= level else None


def below(interval: xr.DataArray, level: float) -> bool | None:
    """Return whether a quantity is below `level`: True or False as its whole interval ``[bound]`` says, else None.

    A high end equal to `level` is not below it. None where the interval holds `level`, or is NaN.
    """
    _, low, high = map(float, bounds(interval))
    return True if high < level else False if low >= level else None
