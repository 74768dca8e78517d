"""What an explorer shows of a sweep: curves over time, and one number per cell."""

from collections.abc import Iterator
from typing import NamedTuple

import xarray as xr

from chaosjax.stats import (
    exponential_window,
    finite_time_exponents,
    first_exponent,
    first_passage,
    mean_over_copies,
    tangent_in_windows,
)

BESIDE = ("residual", "converged", "products", "smallest_residual", "smallest_converged")
"""Entries of a record that say how well it was measured; they are no curves."""

WIDEST = 64
"""Records with more entries than this, such as those of every weight, are left out."""

MOST_FITTED = 20_000
"""With more cells than this no windows are fitted."""


class Quantity(NamedTuple):
    """What one panel shows.

    Attributes:
        name: in a file of its data.
        label: at its axis, without the units.
        units: "" where it has none.
        values: of a curve ``[*axes, time]``, of a number per cell ``[*axes]``.
        growth: whether the values add up over time, in nats.
    """

    name: str
    label: str
    units: str
    values: xr.DataArray
    growth: bool = False


def axes_of(records: xr.Dataset) -> tuple[str, ...]:
    """The axes of the grid, seeds last.

    Raises:
        ValueError: no record of every cell over time.
    """
    if "alive" not in records or "time" not in records["alive"].dims:
        raise ValueError("records: no variable 'alive' over time, which every sweep has; give the dataset of a sweep")
    axes = [str(axis) for axis in records["alive"].dims if axis != "time"]
    return tuple(sorted(axes, key=lambda axis: axis == "seed"))


def curves(records: xr.Dataset) -> Iterator[Quantity]:
    """Each record over time: its first exponent or eigenvalue, the mean over copies."""
    axes = axes_of(records)
    for name, values in records.data_vars.items():
        own = [axis for axis in values.dims if axis not in (*axes, "time")]
        wide = any(values.sizes[axis] > WIDEST for axis in own)
        if "time" not in values.dims or values.dtype.kind not in "fiu" or wide or str(name).endswith(BESIDE):
            continue
        one = mean_over_copies(values.load())
        one = one.isel({axis: 0 for axis in own if axis in one.dims}, drop=True)
        units = str(values.attrs.get("units", ""))
        label = str(values.attrs.get("long_name", name))
        growth = "exponent" in own or (units == "nats" and "growth" in label)
        if growth:
            label, units = f"exponent λ(t), {name}", "nats/step"
        yield Quantity(str(name), label, "" if units == "1" else units, one.transpose(*axes, "time"), growth)


def numbers(records: xr.Dataset, found: list[Quantity], threshold: float) -> Iterator[Quantity]:
    """One number per cell of each curve: exponents, training times, and last values, in this order."""
    yield from _exponents(records, found)
    for curve in found:
        if "accuracy" in curve.name:
            passage = first_passage(curve.values, threshold)["restricted_time"]
            label = f"steps to {threshold:.0%} {curve.label} (not reached: {float(curve.values['time'][-1]):g})"
            yield Quantity(f"{curve.name}_training_time", label, "steps", passage)
    for curve in found:
        if not curve.growth:
            yield curve._replace(name=f"{curve.name}_last", label=f"{curve.label}, last", values=_last(curve.values))


def _exponents(records: xr.Dataset, found: list[Quantity]) -> Iterator[Quantity]:
    growths = [curve for curve in found if curve.growth and curve.values.sizes["time"] > 1]
    for curve in growths:
        whole = finite_time_exponents(curve.values)
        yield Quantity(f"{curve.name}_whole_run", f"λ of the whole run, {curve.name}", "nats/step", whole)
    for curve in found:
        copies = "copy" in records[curve.name].dims
        if not copies or curve.values.isel(time=0).size > MOST_FITTED:
            continue
        try:
            fit = exponential_window(curve.values, select="slope")
        except ValueError:  # no window fits in so short a run
            continue
        label = f"λ of the steepest window, {curve.name}"
        yield Quantity(f"{curve.name}_steepest", label, "nats/step", fit["exponent"])
        for growth in growths:
            tangent = tangent_in_windows(first_exponent(growth.values), fit)
            yield Quantity(f"{growth.name}_steepest", f"λ of the same window, {growth.name}", "nats/step", tangent)


def _last(values: xr.DataArray) -> xr.DataArray:
    """The value at the last time at which any cell has one: records taken now and then are NaN between."""
    measured = values.notnull().any([axis for axis in values.dims if axis != "time"])
    at = int(measured.cumsum("time").argmax("time"))
    return values.isel(time=at, drop=True)
