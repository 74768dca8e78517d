"""An interval over an axis."""

from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from numpy.typing import ArrayLike

from chaosjax.stats import bounds


def band(
    ax: Axes,
    x: ArrayLike,
    interval: xr.DataArray,
    *,
    colour: Any = "C0",
    label: str = "",
    opacity: float = 0.2,
    **line: Any,
) -> None:
    """Draw the estimate over x as a line and its interval as a shaded band.

    Args:
        x: ``[x]``.
        interval: ``[bound, x]``.
        label: of the line, for the legend; an empty one leaves it out.
        opacity: of the band, from 0 to 1.
        line: further options of `matplotlib.axes.Axes.plot`.
    """
    estimate, low, high = bounds(interval)
    colour = to_rgba(colour)  # "C0" is the colour of now, not of the time at which the figure is written
    options = {"marker": ".", "markersize": 4, "linewidth": 1.2} | line
    ax.plot(x, estimate, color=colour, label=label or None, **options)
    ax.fill_between(x, low, high, color=colour, alpha=opacity, linewidth=0)
