"""Where an ensemble is linear, and how its exponents then compare with those of the tangent space."""

import numpy as np
import xarray as xr

from chaosjax.stats._agreement import agreement
from chaosjax.stats._bootstrap import DEFAULT, Resampling
from chaosjax.stats._checks import require_dims
from chaosjax.stats._finite_time_exponents import finite_time_exponents, first_exponent


def linear_window(departure: xr.DataArray, tolerance: float = 0.01) -> xr.Dataset:
    """Return the window in which an ensemble is linear.

    Linear up to the last record before any copy departs from its own tangent vector by more than `tolerance`:
    above, the distance is no longer small (saturation) or its rounding no longer negligible (the precision
    floor).

    Args:
        departure: ``[..., time, copy]``, the record of ``probes.ensemble(departure=True)``.
        tolerance: largest relative departure.

    Returns:
        Per cell, each ``[...]``: `start` and `stop` (steps). NaN where the ensemble is not linear at the first record
        with growth.

    Raises:
        ValueError: no time or copy dimension.
    """
    require_dims(departure, "departure", "time", "copy")
    times = departure["time"]
    linear = (departure <= tolerance).all("copy").cumulative("time").sum() == np.arange(1, len(times) + 1)
    count = linear.sum("time")
    stop = times.isel(time=np.maximum(count - 1, 0)).drop_vars("time").where(count > 1)
    start = xr.full_like(stop, float(times[0])).where(count > 1)
    result = xr.Dataset({"start": start, "stop": stop})
    for name in result:
        result[name].attrs = {"long_name": f"{name} of the linear window", "units": "steps"}
    return result


def compare_exponents(
    ds: xr.Dataset,
    ensemble: str = "distance",
    tangent: str = "growth",
    benettin: str | None = None,
    settle: float = 0.5,
    tolerance: float = 0.01,
    over: str = "seed",
    pool: tuple[str, ...] = (),
    *,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Compare the ensemble's, Benettin's and the tangent's largest exponents in one run, where all are valid.

    The window is the ensemble's linear one, without its first part, in which copies and tangent still turn from
    their own random directions into the common one. Over what is left, (t₀, t₁]: of the ensemble
    :math:`\overline{\ln d_i(t_1) / d_i(t_0)} / (t_1 - t_0)` (mean over copies), of the others the sums of growth.

    Args:
        ds: a sweep with ``ensemble(departure=True)`` under the name `ensemble`, ``lyapunov()`` under `tangent` and, if
            named, ``benettin()``.
        settle: share of the linear window that is left out at its start.
        tolerance: largest departure from linearity.
        over, pool, resampling: as in `agreement`.

    Returns:
        per cell `start`, `stop` (steps), `exponent_ensemble`, `exponent_tangent` (and `exponent_benettin`, nats per
        step), NaN where no window of two records is left; and the `agreement` of each with the tangent:
        `ensemble_difference` (``[bound, ...]``), `ensemble_rms`, `ensemble_relative`, `ensemble_compared` (and
        `benettin_…`).

    Raises:
        ValueError: a variable that the dataset lacks, `settle` outside [0, 1).
    """
    names = [ensemble, f"{ensemble}_departure", tangent, *([benettin] if benettin else [])]
    missing = [name for name in names if name not in ds]
    if missing:
        raise ValueError(f"the dataset has no {missing[0]!r}; take probes.ensemble(departure=True), lyapunov(), …")
    if not 0 <= settle < 1:
        raise ValueError(f"settle={settle} must be at least 0 and below 1")
    window = linear_window(ds[f"{ensemble}_departure"], tolerance)
    times = ds["time"].values
    later = times[np.searchsorted(times, np.nan_to_num(window.start + settle * (window.stop - window.start)))]
    start = window.start.copy(data=later).where(window.start.notnull())
    usable = start < window.stop
    start, stop = start.where(usable), window.stop.where(usable)
    logarithm: xr.DataArray = xr.ufuncs.log(ds[ensemble])
    at = {"start": start.fillna(times[0]), "stop": stop.fillna(times[0])}
    rise = logarithm.sel(time=at["stop"]) - logarithm.sel(time=at["start"])
    found = {"ensemble": (rise.drop_vars("time", errors="ignore") / (stop - start)).mean("copy")}
    found["tangent"] = finite_time_exponents(first_exponent(ds[tangent]), start, stop)
    if benettin:
        copies = set(ds[benettin].dims) - set(ds[tangent].dims)
        found["benettin"] = finite_time_exponents(ds[benettin].mean(copies), start, stop)
    result = xr.Dataset({"start": start, "stop": stop})
    for name, exponent in found.items():
        result[f"exponent_{name}"] = exponent.assign_attrs(long_name=f"exponent, {name}", units="nats/step")
    for name in set(found) - {"tangent"}:
        compared = agreement(found[name], found["tangent"], over, pool, resampling=resampling)
        result = result.assign({f"{name}_{key}": values for key, values in compared.items()})
    return result


def trusted_radius(
    departure: xr.DataArray, steps: int, tolerance: float = 0.01, over: str = "seed", axis: str = "radius"
) -> xr.Dataset:
    """Return from a ladder of radii those whose ensembles stay linear for `steps` steps in every cell of `over`.

    What is trusted holds for the dtype and device of the run. Radii below the smallest trusted one fail by rounding.

    Args:
        departure: ``[radius, ..., time, copy]``, the record of ``probes.ensemble(departure=True)`` with the radius an
            axis.
        steps: length that the linear window must have.
        tolerance: as in `linear_window`.

    Returns:
        `smallest` and `largest` trusted radius (NaN if there is none), each ``[...]``; and `linear_steps`,
        ``[radius, ...]``: the least length of the linear window in `over` (steps).

    Raises:
        ValueError: a missing dimension, or no record at `steps` or later.
    """
    require_dims(departure, "departure", axis, over, "time", "copy")
    if steps > float(departure["time"][-1]):
        raise ValueError(f"steps={steps} is beyond the last record at {int(departure['time'][-1])}")
    window = linear_window(departure, tolerance)
    length = (window.stop - window.start).fillna(0).min(over)
    radii = xr.where(length >= steps, departure[axis], np.nan)
    result = xr.Dataset({"smallest": radii.min(axis), "largest": radii.max(axis), "linear_steps": length})
    result["linear_steps"].attrs = {"long_name": "steps with a linear ensemble", "units": "steps"}
    return result
