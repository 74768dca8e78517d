"""Maps of η_c and of the fastest η, and what minibatches of their own make of two copies."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from experiments import panels
from experiments.questions.maps import draw_map


def figures(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Figure]:
    return {"map": _map(summary), "noise": _noise(summary)}


def _map(summary: xr.Dataset) -> Figure:
    """Jobs down the page; momenta, and within each the initialisation scales, across."""
    figure, axes = panels(1, 3, (14, 1.8 + 0.32 * summary.sizes["job"]), sharey=True)
    parts: list[tuple[str, str, Any, str]] = [
        ("onset η_c", "onset", LogNorm(0.01, 6), "viridis"),
        ("fastest η", "fastest", LogNorm(0.01, 6), "viridis"),
        ("fastest η over η_c", "ratio", LogNorm(1 / 16, 16), "RdBu"),
    ]
    censored = xr.where(summary["censored"].astype(bool), 3.0, 1.0)
    for ax, (title, name, norm, colours) in zip(axes, parts, strict=True):
        values = stats.bounds(summary[name])[0].where(summary["counts"])
        draw_map(
            ax,
            values.transpose("job", "momentum", "init_scale"),
            norm,
            colours,
            None if name == "fastest" else censored,
        )
        ax.set_title(title, fontsize="small")
        ax.set_xlabel("momentum β")
    axes[0].set_yticks(range(summary.sizes["job"]), summary["label"].values, fontsize="small")
    scales = ", ".join(f"{scale:g}" for scale in summary["init_scale"].values)
    figure.suptitle(
        f"Iris; within each momentum the initialisation scales {scales} (1: LeCun) from left to right; "
        "grey: does not learn, or no onset; *: η_c is at or below the first η of the grid",
        fontsize="small",
    )
    return figure


def _noise(summary: xr.Dataset) -> Figure:
    """Exponents over η of the first network: of the map, and of copies with minibatches of their own."""
    network = summary["network"].values[0]
    chosen = summary.isel(job=np.flatnonzero(summary["network"].values == network), momentum=0)
    place = summary.sizes["init_scale"] // 2
    count = chosen.sizes["job"]
    figure, axes = panels(1, count, (3.4 * count, 3.6), sharey=True)
    for at, ax in enumerate(axes):
        row = chosen.isel(job=at, init_scale=place)
        for name, label, colour in (
            ("exponents", "common minibatches: the map", "C3"),
            ("noisy", "minibatches of their own", "C0"),
        ):
            known = np.isfinite(row[name].sel(bound="estimate").values)
            if known.any():
                plotting.band(ax, row["eta"].values[known], row[name][:, known], colour=colour, label=label)
        ax.axhline(summary.attrs["level"], color="black", linewidth=0.8, linestyle="--")
        ax.set(xscale="log", xlabel="learning rate η")
        ax.set_title(row["label"].item(), fontsize="small")
    axes[0].set_ylabel("λ of the steepest window (nats/step)")
    axes[-1].legend(fontsize="x-small")
    scale = float(summary["init_scale"][place])
    figure.suptitle(f"no momentum, initialisation scale {scale:g}; bands: 95 % over seeds", fontsize="small")
    return figure
