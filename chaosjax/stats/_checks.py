"""What every statistic asks of its input."""

import xarray as xr


def require_dims(data: xr.DataArray | xr.Dataset, name: str, *dims: str) -> None:
    """Raise ValueError where `data` lacks one of `dims` or has no entry along it."""
    for dim in dims:
        if dim not in data.dims:
            raise ValueError(f"{name} has no dimension {dim!r}, only {tuple(data.dims)}; name one of these")
        if data.sizes[dim] == 0:
            raise ValueError(f"{name} is empty along {dim!r}; at least one entry is needed")


def sort_log_axis(data: xr.DataArray, name: str, axis: str) -> xr.DataArray:
    """Return `data` in ascending order of `axis`, whose values must be positive."""
    if axis not in data.coords:
        raise ValueError(f"{name} has no coordinate values along {axis!r}; assign them, e.g. with assign_coords")
    if not bool((data[axis] > 0).all()):
        raise ValueError(f"{axis} must be positive, got {data[axis].values.min()}; select the positive values")
    return data.sortby(axis)
