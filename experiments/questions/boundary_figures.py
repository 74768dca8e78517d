"""The figures of `trainability_boundary`: the maps, their box counts, and the exponent beside the boundary."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from chaosjax import stats
from experiments import colours, panels

MAPS = {
    "rates": "two learning rates, tanh",
    "scale": "learning rate and scale, tanh",
    "linear": "two learning rates, linear net",
}
LABELS = ListedColormap(["C3", "C0"])


def figures(summary: xr.Dataset, records: Mapping[str, Any]) -> dict[str, Figure]:
    return {"maps": _maps(summary), "counts": _counts(summary), "exponent": _exponent(summary)}


def _maps(summary: xr.Dataset) -> Figure:
    """Where training converges: the whole maps, and the zooms."""
    zooms = sorted(name for name in summary["map"].values if name.startswith("zoom"))
    shown = [*MAPS, *zooms]
    figure, axes = panels(2, 3, (9.0, 6.0))
    for ax, name in zip(axes, shown, strict=False):
        own = summary.sel(map=name)
        ax.imshow(
            own["labels"],
            origin="lower",
            cmap=LABELS,
            vmin=0,
            vmax=1,
            interpolation="nearest",
            extent=_extent(summary, name),
            aspect="auto",
        )
        title = f"{MAPS.get(name, name.replace('_', ' '))}\nD = {stats.format_interval(own['dimension'])}"
        ax.set_title(title, fontsize="small")
        if name in MAPS:
            ax.set_xlabel("log₁₀ η" if name == "scale" else "log₁₀ η of layer 1")
            ax.set_ylabel("log₁₀ scale" if name == "scale" else "log₁₀ η of layer 2")
        else:
            bottom, top = own["region"].values[:2]
            ax.set(xticks=[], yticks=[], xlabel=f"{top - bottom:.0e} decades wide")
    for ax in axes[len(shown) :]:
        ax.remove()
    figure.suptitle("blue: training converges", fontsize="small")
    return figure


def _extent(summary: xr.Dataset, name: str) -> list[float]:
    bottom, top, left, right = summary["region"].sel(map=name).values
    return [left, right, bottom, top]


def _counts(summary: xr.Dataset) -> Figure:
    """How many boxes hold a piece of the boundary, over their size, and the slopes between two sizes."""
    figure, (left, right) = panels(1, 2, (9.0, 3.8))
    names = [str(name) for name in summary["map"].values if "after" not in name]
    for name, colour in zip(names, colours(len(names)), strict=True):
        own, style = summary.sel(map=name), ":" if float(summary["computed"].sel(map=name)) == 0 else "-"
        left.plot(
            own["size"], own["counts"], style, marker=".", color=colour, label=name.replace("_", " ").split(",")[0]
        )
        right.plot(own["size"][:-1] * 2**0.5, own["local_slope"][:-1], style, marker=".", color=colour)
    for ax in (left, right):
        ax.axvspan(summary.attrs["least"], summary.attrs["most"], color="black", alpha=0.05)
        ax.set(xscale="log", xlabel="box size s (squares); grey: fitted")
        ax.set_xscale("log", base=2)
    left.set(yscale="log", ylabel="boxes with a piece of the boundary, N(s)")
    right.set_ylabel("local slope, −d ln N / d ln s")
    left.legend(fontsize="x-small")
    return figure


def _exponent(summary: xr.Dataset) -> Figure:
    """The exponent over the map with the boundary of trainability, and its values on the boundary's two sides."""
    figure, (left, right) = panels(1, 2, (9.0, 3.8))
    exponent = summary["exponent"].values
    side = len(exponent)
    step = (summary.sizes["row"] - 1) // (side - 1)
    labels = summary["labels"].sel(map="rates").values[::step, ::step]
    bottom, top, first, last = (*_extent(summary, "rates")[2:], *_extent(summary, "rates")[:2])
    x, y = np.linspace(first, last, side), np.linspace(bottom, top, side)
    mesh = left.pcolormesh(x, y, exponent, cmap="RdBu_r", vmin=-0.5, vmax=0.5, rasterized=True)
    left.contour(x, y, labels.astype(float), levels=[0.5], colors="black", linewidths=0.8)
    left.set(xlabel="log₁₀ η of layer 1", ylabel="log₁₀ η of layer 2")
    left.set_title("λ, and the boundary of trainability (black)", fontsize="small")
    figure.colorbar(mesh, ax=left, label="λ (nats/step)", extend="both")
    bins = np.linspace(-0.5, 1.5, 41)
    for name, colour, label in (
        ("edge_trains", "C0", "the side that trains"),
        ("edge_fails", "C3", "the side that does not"),
    ):
        values = summary[name].values
        right.hist(np.clip(values[np.isfinite(values)], bins[0], bins[-1]), bins, color=colour, alpha=0.5, label=label)
    right.axvline(0, color="black", linewidth=0.7)
    right.set(xlabel="λ beside the boundary (nats/step)", ylabel="squares of the boundary")
    right.legend(fontsize="small")
    return figure
