"""From convergence to chaos in the simplest network: a perceptron without hidden layer on Iris, full batch.

Its loss is convex and has one minimum (the L2 term sees to that). With h the eigenvalues of the Hessian there, descent
converges for η < 2 / max h, with the exponent λ = max ln|1 − ηh|. What comes beyond has to be measured.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def eigenvalues(transition: cj.Transition) -> jax.Array:
    """All eigenvalues of the Hessian of the loss, from as many Hessian-vector products as there are parameters."""
    return jnp.linalg.eigvalsh(jax.vmap(transition.hvp)(jnp.eye(cj.phase(transition.x)[0].size)))


def main(out: str = "perceptron.png", values: int = 300, seeds: int = 2, steps: int = 2000) -> xr.Dataset:
    """Draws λ and the loss over η and returns `exponent` `[learning_rate, seed]`, its `theory`, and `edge`, 2/max h."""
    iris, softmax = cj.datasets.iris(scaling="standardised"), cj.models.mlp([])  # of a linear layer
    system = cj.training(cj.supervised(softmax, iris, weight_decay=0.01), optax.sgd)
    axes = {"learning_rate": np.linspace(0.5, 30, values), "seed": np.arange(seeds)}
    ds = cj.sweep(system, {"growth": cj.probes.lyapunov(), "loss": cj.probes.loss()}, axes, steps=steps)
    found = xr.Dataset({"exponent": cj.stats.finite_time_exponents(ds.growth, start=steps // 2).isel(exponent=0)})

    hessian = {"h": cj.probes.reading(eigenvalues, dims=("eigenvalue",))}  # at the end of a run that converges
    h = cj.sweep(system, hessian, {"learning_rate": [4.0]}, steps=1000, stride=1000).h.isel(learning_rate=0, time=-1)
    found = found.assign(theory=np.log(abs(1 - ds.learning_rate * h)).max("eigenvalue"), edge=2 / h.max())

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7.5, 6), layout="constrained")
    for ax in (top, bottom):
        ax.axvline(found.edge, color="C3", linewidth=0.8, label=f"2/sharpness of the minimum = {float(found.edge):.2f}")
    labels = [f"measured, last {steps - steps // 2} steps, each seed"] + [None] * (seeds - 1)
    top.plot(ds.learning_rate, found.exponent, color="C0", linewidth=0.6, label=labels)
    theory = found.theory.where(ds.learning_rate < 1.15 * found.edge)
    top.plot(ds.learning_rate, theory, "--", color="C1", label="theory at the minimum: max ln|1 − ηh|")
    top.axhline(0, color="black", linewidth=0.8)
    top.set_ylabel("exponent λ (nats/step)")
    top.legend(fontsize="small")
    bottom.plot(ds.learning_rate, ds.loss[..., -60:].stack(point=("seed", "time")), "k,", alpha=0.4, rasterized=True)
    bottom.set(xlabel="learning rate η", ylabel="loss at each of the last 60 steps (nats)", yscale="log", xlim=(0, 30))
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        found = main(str(Path(__file__).with_suffix(".png")))
    error = abs(found.exponent - found.theory).where(found.learning_rate < 0.95 * found.edge).max()
    print(f"2/sharpness = {float(found.edge):.4f}; below 0.95 of it λ is within {float(error):.1g} of the theory")
