"""How perturbed copies part, and when."""

from collections.abc import Sequence

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import SymLogNorm
from matplotlib.figure import Figure

from chaosjax.plotting._style import style
from chaosjax.stats import mean_over_copies


@style()
def perturbation_growth(
    distance: xr.DataArray, local_exponent: xr.DataArray, shown: Sequence[float], title: str = ""
) -> Figure:
    """Draw distances d(t) for a few learning rates, and λ(t) over η and t as a heat map.

    Args:
        distance: ``[learning_rate, seed, time, copy]``.
        local_exponent: ``[learning_rate, seed, time]``, nats per step (`stats.local_exponents`).
        shown: the learning rates whose distances are drawn; the nearest of the grid are taken.
    """
    figure = Figure(figsize=(7.5, 8), layout="constrained")
    curves, heat = figure.subplots(2, sharex=True)
    _curves(curves, distance, shown)
    _heat_map(figure, heat, local_exponent)
    if title:
        figure.suptitle(title)
    return figure


def _curves(ax: Axes, distance: xr.DataArray, shown: Sequence[float]) -> None:
    chosen = distance.sel(learning_rate=list(shown), method="nearest").drop_duplicates("learning_rate")
    etas = chosen["learning_rate"].values
    colours = matplotlib.colormaps["plasma"]
    of_seed = mean_over_copies(chosen)
    for place, eta in zip(np.linspace(0, 0.95, len(etas)), etas, strict=True):
        cells = of_seed.sel(learning_rate=eta)
        colour = colours(place)
        ax.plot(cells["time"], cells.transpose("time", "seed"), color=colour, linewidth=0.5, alpha=0.5)
        with np.errstate(divide="ignore"):
            typical = np.exp(xr.apply_ufunc(np.log, cells).mean("seed"))
        ax.plot(cells["time"], typical, color=colour, linewidth=2, label=f"η = {eta:.3g}")
    ax.set_yscale("log")
    norm_name = distance.attrs.get("norm", "").upper()
    ax.set_ylabel(f"distance d(t) to the unperturbed run{f' ({norm_name})' if norm_name else ''}")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.4)  # room for the legend
    ax.legend(loc="upper center", ncols=3, title="thick: geometric mean; thin: each seed")


def _heat_map(figure: Figure, ax: Axes, local_exponent: xr.DataArray) -> None:
    mean = local_exponent.mean("seed")
    finite = np.abs(mean.values[np.isfinite(mean.values)])  # a tangent that vanishes has the exponent -inf
    extreme = (float(np.quantile(finite, 0.99)) if finite.size else 0.0) or 1.0
    mesh = ax.pcolormesh(
        mean["time"],
        mean["learning_rate"],
        mean.transpose("learning_rate", "time"),
        norm=SymLogNorm(linthresh=extreme / 50, vmin=-extreme, vmax=extreme),
        cmap="RdBu_r",
        shading="nearest",
        rasterized=True,
    )
    ax.set_yscale("log")
    ax.set_xlabel("time t (steps)")
    ax.set_ylabel("learning rate η")
    bar = figure.colorbar(
        mesh, ax=ax, label="λ(t), tangent, mean over seeds\n(nats/step; linear in the pale part)", extend="both"
    )
    bar.set_ticks([place * extreme for place in (-1, -0.1, 0, 0.1, 1)], minor=False)
    bar.set_ticks([], minor=True)
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
