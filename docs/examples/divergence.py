"""How perturbed copies part: from the rounding floor to saturation, beside the tangent, which knows neither."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def main(out: str = "divergence.png", steps: int = 150) -> xr.Dataset:
    """Draws d(t) for radii from 1e-14 to 1e-2 at three learning rates, and returns the records."""
    problem = cj.supervised(cj.models.mlp([10], activation="sigmoid"), cj.datasets.iris())
    probes = {"distance": cj.probes.ensemble(copies=5, norm="l2"), "growth": cj.probes.lyapunov()}
    axes = {"learning_rate": [0.1, 0.5, 2.0], "radius": np.logspace(-12, -2, 6)}
    ds = cj.sweep(cj.training(problem, optax.sgd), probes, axes, steps=steps)

    figure, panels = plt.subplots(1, 3, sharey=True, figsize=(9, 3.5), layout="constrained")
    for ax, eta in zip(panels, ds.learning_rate.values, strict=True):
        cell = ds.sel(learning_rate=eta)
        for number, radius in enumerate(ds.radius.values):
            colour = plt.colormaps["viridis"](0.9 * number / 5)
            ax.plot(ds.time, cell.distance.sel(radius=radius).mean("copy"), color=colour, label=f"{radius:.0e}")
        tangent = np.exp(cell.growth.isel(radius=0, exponent=0).cumsum("time"))
        first = float(cell.distance.isel(radius=0, time=0).mean())
        ax.plot(ds.time, first * tangent, ":", color="black", label="tangent")
        ax.set(title=f"η = {eta:g}", xlabel="time t (steps)", yscale="log", ylim=(1e-13, 1e3))
    panels[0].set_ylabel("distance d(t) (L2), mean of 5 copies")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside right center", title="radius ε")
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return ds


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
