"""The boundary of trainability over the learning rates of two layers is no smooth line (Sohl-Dickstein 2024)."""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj


def two_rates(first, second) -> optax.GradientTransformation:
    """Gradient descent with a rate for each layer: both are control parameters, so both can be axes."""
    rates = {"a": -first, "b": -second}
    return optax.stateless(lambda gradients, params: jax.tree.map(lambda rate, leaf: rate * leaf, rates, gradients))


def main(out: str = "fractal.png", pixels: int = 128, steps: int = 100, width: int = 8) -> xr.DataArray:
    """Draws which pairs of rates train, and returns the mean of the last 20 losses over the first `[second, first]`."""

    def init(key, inputs):
        a, b = jax.random.normal(key, (2, width, width))
        return {"a": a, "b": b[:, :1]}

    def outputs(params, inputs):
        return jnp.tanh(inputs @ params["a"] / width**0.5) @ params["b"] / width**0.5

    random = np.random.default_rng(0)
    samples = random.normal(size=(width * (width + 1), width)), random.normal(size=(width * (width + 1), 1))
    problem = cj.supervised((init, outputs), cj.datasets.Dataset(*samples, *samples, outputs=1), loss="squared_error")
    axes = {"second": np.geomspace(1, 1000, pixels), "first": np.geomspace(1, 1000, pixels)}
    ds = cj.sweep(cj.training(problem, two_rates), {"loss": cj.probes.loss()}, axes, steps=steps)
    ratio = (ds.loss[..., -20:].mean("time", skipna=False) / ds.loss[..., 0]).fillna(np.inf)

    figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
    shown = np.log10(ratio.clip(1e-2, 1e2))
    mesh = ax.pcolormesh(ds.first, ds.second, shown, cmap="RdBu_r", vmin=-2, vmax=2, rasterized=True)
    ax.set(xscale="log", yscale="log", xlabel="learning rate of the first layer", ylabel="of the second layer")
    figure.colorbar(mesh, label="log₁₀ of the last losses over the first; blue: trains", extend="both")
    figure.savefig(out, dpi=130)
    plt.close(figure)
    return ratio


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        main(str(Path(__file__).with_suffix(".png")))
