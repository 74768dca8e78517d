"""The box dimension of the boundary between two labels on a grid, and grids that are fine at the boundary alone."""

from typing import NamedTuple, Protocol

import numpy as np
import xarray as xr
from jaxtyping import Bool, Int

from chaosjax._checks import check_count
from chaosjax.stats._bootstrap import DEFAULT, Resampling, bootstrap
from chaosjax.stats._interval import interval

LEAST_OCTAVES = 2
"""Box sizes, in octaves, that a slope is fitted over at least."""


class Labelling(Protocol):
    """Gives labels to points of the finer grid, by their indices."""

    def __call__(self, rows: Int[np.ndarray, " n"], columns: Int[np.ndarray, " n"], /) -> Bool[np.ndarray, " n"]: ...


class Refined(NamedTuple):
    """Labels on a grid, and which of them were computed; the others are those of the squares around them."""

    labels: Bool[np.ndarray, "rows columns"]
    computed: Bool[np.ndarray, "rows columns"]


def boundary(labels: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows-1 columns-1"]:
    """Return the squares of four neighbouring points that do not all have the same label."""
    corners = [labels[a : a - 1 or None, b : b - 1 or None] for a in (0, 1) for b in (0, 1)]
    return np.any(corners, axis=0) & ~np.all(corners, axis=0)


def box_dimension(
    labels: Bool[np.ndarray, "rows columns"],
    least: int = 4,
    most: int | None = None,
    resampling: Resampling = DEFAULT,
) -> xr.Dataset:
    r"""Return the box dimension of the boundary between two labels, ``N(s) ∝ s^{-D}``.

    N(s) is how many boxes of s × s squares hold a piece of the `boundary`. D is minus the least-squares slope of ln N
    over ln s, for s = 1, 2, 4, … between `least` and `most`. The interval is a bootstrap over the boxes of size
    `most` that hold a piece, as independent parts of the boundary; it says nothing of sizes that were not looked at.
    Sizes below 4 squares see the grid: the boundary of a straight line is up to two squares wide there.

    Args:
        labels: two labels, True and False, e.g. "training converges".
        least: smallest box, in squares, a power of 2.
        most: largest box, in squares, a power of 2; None: the largest that leaves eight boxes on the shorter side.
            What does not fill boxes of this size, at the far sides, is left out.

    Returns:
        `dimension` ``[bound]``; `median_slope`, the published estimator, the median over successive sizes from 1 on of
        the local slopes (no interval); `counts` ``[size]`` and `local_slope` ``[size]`` (between a size and its double,
        NaN at the last). `dimension` is NaN without a boundary, its ends also where a single box of size `most` holds
        it.

    Raises:
        ValueError: sizes that are no powers of 2, or fewer than three of them from `least` to `most`.

    Cost: some passes over the labels.

    Source: Sohl-Dickstein, arXiv:2402.06184, section 2.2 (median of local slopes); Falconer, Fractal Geometry (2014).
    """
    edge = boundary(np.asarray(labels, bool))
    shortest = min(edge.shape, default=0)
    least = check_count("least", least)
    largest = 2 ** int(np.log2(max(1, shortest // 8))) if most is None else check_count("most", most)
    odd = any(size & (size - 1) for size in (least, largest))
    if odd or not least * 2**LEAST_OCTAVES <= largest <= shortest:
        raise ValueError(
            f"box_dimension: sizes from {least} to {largest} squares, {shortest} on the shorter side: give powers of "
            f"2, at least {LEAST_OCTAVES} octaves apart, or a finer grid"
        )
    sizes = 2 ** np.arange(int(np.log2(largest)) + 1)
    counts = _counts(edge, sizes)
    tiles = xr.Dataset({"counts": (("tile", "size"), counts[counts[:, -1] > 0])}, {"size": sizes})
    total = tiles["counts"].sum("tile")
    if tiles.sizes["tile"]:
        dimension = bootstrap(
            lambda tiles: _slope(tiles["counts"].sum("tile"), least), tiles, "tile", resampling=resampling
        )
    else:
        dimension = interval(np.nan, np.nan, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        local = -np.diff(np.log2(total.values), append=np.nan)
    return xr.Dataset(
        {
            "dimension": dimension.assign_attrs(long_name="box dimension", units="1"),
            "median_slope": np.median(local[:-1]),
            "counts": total,
            "local_slope": ("size", local),
        },
        attrs={"least": least, "most": largest},
    )


def refined(coarse: Bool[np.ndarray, "rows columns"], label: Labelling, margin: int = 1) -> Refined:
    """Return labels on a grid twice as fine, computed near the boundary of the coarse one alone.

    The coarse points are every other one of the 2n − 1 by 2m − 1 fine points, and keep their labels. A fine point is
    computed if it lies in or on a square of the coarse `boundary`, or within `margin` squares of one; elsewhere it
    takes the label of the coarse points around it. Islands smaller than a square, further from the boundary than the
    margin, are missed: audit some points that were not computed.

    Args:
        coarse: labels.
        label: gives labels to fine points, by indices of the fine grid.
        margin: squares around the boundary that are computed too.

    Raises:
        ValueError: a grid of fewer than two rows or columns, or a negative margin.

    Cost: three to five labels for each square that is on the boundary or within the margin.
    """
    coarse = np.asarray(coarse, bool)
    if min(coarse.shape) < 2 or margin < 0:
        raise ValueError(f"refined: labels {coarse.shape} with margin={margin}; give 2 × 2 points or more, margin ≥ 0")
    near = boundary(coarse)
    for _ in range(margin):
        near = _grown(near)
    fine = np.repeat(np.repeat(coarse, 2, 0), 2, 1)[:-1, :-1]
    computed = np.zeros(fine.shape, bool)
    for a in range(3):
        for b in range(3):
            computed[a : a + 2 * near.shape[0] : 2, b : b + 2 * near.shape[1] : 2] |= near
    computed[::2, ::2] = False
    rows, columns = np.nonzero(computed)
    if len(rows):
        fine[rows, columns] = label(rows, columns)
    return Refined(fine, computed)


def _grown(squares: Bool[np.ndarray, "rows columns"]) -> Bool[np.ndarray, "rows columns"]:
    """The squares and their eight neighbours."""
    wide = np.pad(squares, 1)
    rows, columns = squares.shape
    return np.any([wide[a : a + rows, b : b + columns] for a in range(3) for b in range(3)], axis=0)


def _counts(edge: Bool[np.ndarray, "rows columns"], sizes: Int[np.ndarray, " sizes"]) -> Int[np.ndarray, "tiles sizes"]:
    """For each box of the largest size, the boxes of every size inside of it that hold a piece of the boundary."""
    most = int(sizes[-1])
    shape: tuple[int, ...] = edge.shape
    rows, columns = (length // most for length in shape)
    part, counts = edge[: rows * most, : columns * most], []
    for size in sizes:
        if size > 1:
            part = part.reshape(rows * most // int(size), 2, columns * most // int(size), 2).any((1, 3))
        inside = most // int(size)
        counts.append(part.reshape(rows, inside, columns, inside).sum((1, 3)).ravel())
    return np.stack(counts, axis=1)


def _slope(counts: xr.DataArray, least: int) -> xr.DataArray:
    """Minus the least-squares slope of ln N over ln s."""
    used = counts.sel(size=slice(least, None))
    log: xr.DataArray = np.log(used)  # pyright: ignore[reportAssignmentType]
    x: xr.DataArray = np.log(used["size"])  # pyright: ignore[reportAssignmentType]
    x = x - x.mean()
    return -(log * x).sum("size", skipna=False) / (x**2).sum()
