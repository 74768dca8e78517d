"""What the studies' figures share."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes


def colours(count: int) -> list[tuple[float, float, float, float]]:
    """As many colours of one scale, from dark to light."""
    return [colormaps["viridis"](0.9 * i / max(1, count - 1)) for i in range(count)]


def band(
    ax: Axes, x: xr.DataArray, part: xr.Dataset, name: str = "", label: str = "", colour: str = "tab:blue"
) -> None:
    """A mean over x with its 95 % interval as a band; the entries of `part` are named as for `findings.triple`."""
    names: Sequence[str] = (name, f"{name}_low", f"{name}_high") if name else ("estimate", "low", "high")
    value, low, high = (np.asarray(part[entry]) for entry in names)
    ax.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0)
    ax.plot(x, value, "o-", color=colour, markersize=3, linewidth=1.2, label=label or None)
