"""Chaos, or the noise of minibatches? The exponent under common minibatches, and what noise of one's own does."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax

import chaosjax as cj


def main(out: str = "chaos_or_noise.png", rates: int = 7, seeds: int = 8, steps: int = 80) -> list[cj.ChaosOrNoise]:
    """Draws verdicts over η, and returns what was found at each."""
    problem = cj.supervised(cj.models.mlp([32]), cj.datasets.digits())
    system = cj.training(problem, optax.sgd, batch_size=128)
    grid = np.geomspace(0.1, 8, rates)
    found = [cj.is_chaotic(system, theta={"learning_rate": eta}, seeds=seeds, steps=steps) for eta in grid]

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7.5, 5.5), layout="constrained")
    colours = {"chaos": "C3", "noise": "C0", "undecided": "0.5"}
    for eta, one in zip(grid, found, strict=True):
        for ax, interval in ((top, one.tangent), (bottom, one.excess)):
            value, low, high = map(float, cj.stats.bounds(interval))
            ax.errorbar(eta, value, [[value - low], [high - value]], fmt="o", capsize=3, color=colours[one.verdict])
    top.axhline(found[0].level, color="black", linewidth=0.8, linestyle="--")
    top.set(ylabel="λ under common\nminibatches (nats/step)", xscale="log")
    for verdict, colour in colours.items():
        top.plot([], [], "o", color=colour, label=verdict)
    top.legend(title="verdict, 95 %")
    bottom.axhline(1, color="black", linewidth=0.8)
    bottom.set(xlabel="learning rate η", ylabel="distance under own minibatches,\nperturbed over not perturbed")
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
