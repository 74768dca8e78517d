"""Boundaries of known dimension, and one boundary on coarser grids."""

import numpy as np
import xarray as xr
from jaxtyping import Bool

from chaosjax import stats

JULIA = {"the rabbit, z² − 0.123 + 0.745i": (-0.123 + 0.745j, 1.3934), "the basilica, z² − 1": (-1.0 + 0j, 1.2683)}
"""Julia sets with their dimensions. Source: McMullen, Am. J. Math. 120 (1998) 691."""


def controls(points: int) -> dict[str, np.ndarray]:
    """Labels with a boundary of known dimension: a line, and Julia sets."""
    line = np.linspace(-1.6, 1.6, points)
    x, y = np.meshgrid(line, line)
    labels = {"a line": y > 0.37 * x + 0.11}
    for name, (c, _) in JULIA.items():
        z, inside = x + 1j * y, np.ones(x.shape, bool)
        for _ in range(200):
            z = np.where(inside, z * z + c, 9.0)
            inside &= np.abs(z) < 2
        labels[name] = inside
    return labels


def on_coarser_grids(labels: Bool[np.ndarray, "rows columns"], least: int, most: int, coarse: int) -> xr.DataArray:
    """The box dimension from every second label, every fourth, … down to `coarse` of a side, ``[points, bound]``.

    Box sizes, in squares of each grid, run from `least` to the largest that leaves eight boxes on a side, and not
    beyond `most`.
    """
    points, found = [], []
    while len(labels) > coarse:
        labels = labels[::2, ::2]
        largest = min(most, 2 ** int(np.log2(max(1, (len(labels) - 1) // 8))))
        if largest >= 4 * least:
            points.append(len(labels))
            found.append(stats.box_dimension(labels, least, largest)["dimension"])
    nothing = stats.interval(np.nan, np.nan, np.nan)
    return xr.concat(found or [nothing], xr.DataArray(points or [0], dims="points", name="points"))
