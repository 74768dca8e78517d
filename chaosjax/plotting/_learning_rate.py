"""Probing runs over the learning rate, and what was found from them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from chaosjax.plotting._style import style
from chaosjax.stats import bounds, format_interval


class Found(Protocol):
    """What is drawn of `FoundLearningRate`; its own words are there."""

    @property
    def learning_rate(self) -> xr.DataArray: ...

    @property
    def onset(self) -> xr.DataArray: ...

    @property
    def unstable(self) -> float: ...

    @property
    def rounds(self) -> Sequence[xr.Dataset]: ...


@style()
def learning_rate(found: Found, title: str = "") -> Figure:
    """Draw the loss at the end of each probing run over η, one line per round, and the curves of the last rounds.

    The recommended learning rate is a line with its interval as a band; the onset of chaos and the first learning rate
    that no longer trains are lines.

    Args:
        found: what `find_learning_rate` returns.
        title: above the figure; an empty one leaves it out.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = colormaps["viridis"](np.linspace(0.85, 0.1, len(found.rounds)))
    first = min(float(records["loss"].isel(time=0).mean()) for records in found.rounds)
    for records, colour in zip(found.rounds, colours, strict=True):
        loss = records["loss"]
        last = loss.isel(time=slice(-max(1, round(loss.sizes["time"] / 5)), None)).mean(["time", "seed"], skipna=False)
        last = last.where(last < 3 * first)
        left.plot(last["learning_rate"], last, "o-", color=colour, markersize=4, label=f"{int(loss['time'][-1])} steps")
    rate, low, high = map(float, bounds(found.learning_rate))
    accent = to_rgba("C3")  # the colour of now, not of the time at which the figure is written
    if np.isfinite(rate):
        left.axvline(rate, color=accent)
        left.axvspan(low, high, color=accent, alpha=0.15, label=f"recommended: {format_interval(found.learning_rate)}")
    onset = float(bounds(found.onset)[0])
    if np.isfinite(onset):
        left.axvline(onset, color="0.3", linestyle="-.", label=f"chaotic from {onset:.3g}")
    if np.isfinite(found.unstable):
        left.axvline(found.unstable, color="black", linestyle=":", label=f"does not train at {found.unstable:.3g}")
    left.axhline(first, color="0.7", linewidth=0.8)
    left.set(xscale="log", yscale="log", xlabel="learning rate η", ylabel="loss, mean over the last fifth of a run")
    left.legend(fontsize="x-small")
    _curves(right, found)
    if title:
        figure.suptitle(title, fontsize="medium")
    return figure


def _curves(ax: Axes, found: Found) -> None:
    parts = [r["loss"].mean("seed", skipna=False) for r in found.rounds[2:] or found.rounds[-1:]]
    loss = xr.concat(parts, "learning_rate").sortby("learning_rate")
    shades = colormaps["plasma"](np.linspace(0.1, 0.85, loss.sizes["learning_rate"]))
    for eta, shade in zip(loss["learning_rate"].values, shades, strict=True):
        ax.plot(loss["time"], loss.sel(learning_rate=eta), color=shade, linewidth=1, label=f"η = {eta:.3g}")
    ax.set(yscale="log", xlabel="time (steps)", ylabel="loss of the step's samples", title="the last rounds")
    ax.title.set_fontsize("small")
    ax.legend(fontsize="x-small")
