"""Numbers of many cases, as a map with the number and its verdict in every field."""

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

MARKS = {1.0: "", 0.0: "×", 2.0: "=", 3.0: "*"}
"""Behind a number: the answer no, or equal; * a remark of the figure's own; ? where it is undecided."""


def draw_map(
    ax: Axes,
    values: xr.DataArray,
    norm: Normalize,
    colours: str,
    answers: xr.DataArray | None = None,
) -> None:
    """Draw values ``[row, block, column]``: rows down the page, and the columns of each block side by side.

    Args:
        values: NaN stays grey.
        answers: as `values`, those of `MARKS` or NaN.
    """
    _, block, _ = values.dims
    blocks, columns = values[block].values, values.shape[2]
    rows = values.values.reshape(len(values), -1)
    marks = np.ones(rows.shape) if answers is None else answers.transpose(*values.dims).values.reshape(rows.shape)
    ax.set_facecolor("0.85")
    ax.imshow(rows, aspect="auto", norm=norm, cmap=colours)
    for (row, column), value in np.ndenumerate(rows):
        if np.isfinite(value):
            mark = MARKS.get(float(marks[row, column]), "?")
            red, green, blue, _ = colormaps[colours](norm(value))
            ink = "white" if 0.3 * red + 0.6 * green + 0.1 * blue < 0.45 else "black"
            text = f"{value:.2g}" if abs(value) >= 0.001 else "<.001"
            ax.text(column, row, f"{text}{mark}", ha="center", va="center", fontsize=6.5, color=ink)
    ax.set_xticks(np.arange(len(blocks)) * columns + (columns - 1) / 2, [f"{value:g}" for value in blocks])
    for place in range(1, len(blocks)):
        ax.axvline(place * columns - 0.5, color="black", linewidth=0.8)
    ax.tick_params(length=0)
