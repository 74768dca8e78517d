"""The edge of stability: gradient descent sharpens the loss until its largest curvature is 2/η, and stays there."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def main(out: str = "edge_of_stability.png", seeds: int = 3, steps: int = 3000) -> xr.Dataset:
    """Draws loss and sharpness · η/2 over time at three learning rates, and returns the records."""
    x = np.linspace(-1, 1, 20)
    points = (x[:, None], (4 * x**3 - 3 * x)[:, None])  # a Chebyshev polynomial
    data = cj.datasets.Dataset(*points, *points, outputs=1)
    problem = cj.supervised(cj.models.mlp([32], activation="tanh", init="lecun"), data, loss="squared_error")
    probes = {"loss": cj.probes.loss(), "sharpness": cj.probes.every(10, cj.probes.sharpness())}
    axes = {"learning_rate": [0.1, 0.2, 0.4], "seed": np.arange(seeds)}
    ds = cj.sweep(cj.training(problem, optax.sgd), probes, axes, steps=steps)

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7.5, 5.5), layout="constrained")
    stability = (ds.sharpness.isel(eigenvalue=0) * ds.learning_rate / 2).dropna("time", how="all")
    for number, eta in enumerate(ds.learning_rate.values):
        for seed in ds.seed.values:
            cell = {"learning_rate": eta, "seed": seed}
            label = f"η = {eta:g}, each seed" if seed == 0 else None
            top.plot(ds.time, ds.loss.sel(cell), color=f"C{number}", linewidth=0.8, label=label)
            bottom.plot(stability.time, stability.sel(cell), color=f"C{number}", linewidth=0.8)
    top.set(ylabel="loss", yscale="log")
    top.legend()
    bottom.axhline(1, color="black", linewidth=0.8)
    bottom.set(xlabel="time t (steps)", ylabel="sharpness · η/2", ylim=(0, 2))
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return ds


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
