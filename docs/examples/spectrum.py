"""All Lyapunov exponents of a small network in training, and the Kaplan–Yorke dimension of where it ends up."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def main(out: str = "spectrum.png", rates: int = 60, seeds: int = 4, steps: int = 3000) -> xr.Dataset:
    """Draws the exponents of the second half of the run and the dimension over η, and returns both."""
    iris = cj.datasets.iris(scaling="standardised")
    problem = cj.supervised(cj.models.mlp([]), iris, weight_decay=0.01)  # softmax regression: 15 parameters
    axes = {"learning_rate": np.linspace(1, 24, rates), "seed": np.arange(seeds)}
    growth = {"growth": cj.probes.lyapunov(k=15)}
    ds = cj.sweep(cj.training(problem, optax.sgd), growth, axes, steps=steps, stride=20)
    found = cj.stats.lyapunov_spectrum(ds.growth, start=steps // 2)
    exponents = cj.stats.bounds(found.exponents)[0].mean("seed")

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7.5, 6), layout="constrained")
    top.plot(ds.learning_rate, exponents, color="C0", linewidth=0.7)
    top.plot(ds.learning_rate, exponents.isel(exponent=0), color="C3", label="the largest")
    top.axhline(0, color="black", linewidth=0.8)
    top.set(ylabel="exponents λ₁ … λ₁₅ (nats/step)", ylim=(-1, 0.4))
    top.legend()
    cj.plotting.band(bottom, ds.learning_rate, cj.stats.mean_interval(found.kaplan_yorke))
    bottom.set(xlabel="learning rate η", ylabel="Kaplan–Yorke dimension", ylim=(0, 15.5))
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found.assign(exponents=exponents)


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
