"""Adam beside gradient descent: does each turn chaotic, and does it learn fastest there?"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def adam(learning_rate):
    return optax.adam(learning_rate, eps_root=1e-20)  # finite tangents where a gradient is exactly 0


def main(out: str = "adam_and_sgd.png", rates: int = 10, seeds: int = 6, steps: int = 100) -> dict[str, xr.Dataset]:
    """Draws λ and the training time over η for both, and returns their summaries."""
    problem = cj.supervised(cj.models.mlp([32]), cj.datasets.digits())
    cases = {"SGD": (optax.sgd, 0.1, 30), "Adam": (adam, 1e-3, 1)}
    figure, axes = plt.subplots(2, 2, sharex="col", sharey="row", figsize=(7.5, 5), layout="constrained")
    found = {}
    for (name, (optimizer, low, high)), (top, bottom) in zip(cases.items(), axes.T, strict=True):
        grid = np.geomspace(low, high, rates).tolist()
        found[name] = cj.edge_of_chaos(
            problem, optimizer=optimizer, learning_rates=grid, seeds=seeds, steps=steps
        ).summary
        # of perturbed copies: the tangent, which lives in Adam's moments too, grows at any learning rate
        cj.plotting.band(top, grid, found[name].steepest, colour="C3")
        cj.plotting.band(bottom, grid, found[name].training_time, colour="C2")
        top.axhline(0, color="black", linewidth=0.8)
        top.set(title=name, xscale="log")
        bottom.set(xlabel="learning rate η", ylim=(0, None))
    axes[0, 0].set_ylabel("λ, steepest window\n(nats/step)")
    axes[1, 0].set_ylabel("steps to 90 % test accuracy")
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
