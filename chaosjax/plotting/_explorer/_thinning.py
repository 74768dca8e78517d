"""Which cells and times an explorer holds curves of, where it cannot hold all."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr

from chaosjax.plotting._explorer._quantities import Quantity

MOST_TIMES = 400


class Thinning(NamedTuple):
    """The entries that are kept of each axis and of time, and what that means in words; "" where all are."""

    kept: Mapping[str, np.ndarray]
    words: str


def thinning(sizes: Mapping[str, int], times: int, curves: int, most_cells: int, most_values: int) -> Thinning:
    """Keep every n-th entry of the longest axes, until cells and values are few enough."""
    steps = dict.fromkeys(sizes, 1)
    every = max(1, -(-(times - 1) // MOST_TIMES))

    def cells() -> int:
        return int(np.prod([-(-size // steps[axis]) for axis, size in sizes.items()]))

    def values() -> int:
        return cells() * (1 + (times - 1) // every) * curves

    while cells() > 1 and (cells() > most_cells or values() > most_values):
        longest = max(sizes, key=lambda axis: -(-sizes[axis] // steps[axis]))
        steps[longest] += 1
    kept = {axis: np.arange(0, size, steps[axis]) for axis, size in sizes.items()}
    kept["time"] = np.arange(0, times, every)
    whole = int(np.prod(list(sizes.values())))
    words = []
    if cells() < whole:
        which = ", ".join(f"every {_ordinal(step)} {axis}" for axis, step in steps.items() if step > 1)
        words.append(f"Curves of {cells():,} of {whole:,} cells are held here: {which}")
    if every > 1:
        words.append(f"Curves hold every {_ordinal(every)} of {times:,} record times")
    return Thinning(kept, ". ".join(words))


def thinned(curve: Quantity, kept: Mapping[str, np.ndarray]) -> xr.DataArray:
    """A curve at the entries that are kept; growth becomes the exponent since the time kept before, exactly."""
    cells = {axis: entries for axis, entries in kept.items() if axis != "time"}
    values = curve.values.isel(cells)
    if not curve.growth:
        return values.isel(time=kept["time"])
    total = values.cumsum("time", skipna=False).isel(time=kept["time"]).assign_coords(time=values["time"][kept["time"]])
    rate = total.diff("time") / total["time"].diff("time")
    return rate.reindex(time=total["time"])


def _ordinal(number: int) -> str:
    return f"{number}{ {2: 'nd', 3: 'rd'}.get(number, 'th') }"
