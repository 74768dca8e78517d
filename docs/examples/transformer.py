"""Exponents of a small transformer: by perturbed copies, by a tangent vector of old, and by young ones."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optax
import xarray as xr

import chaosjax as cj

YOUNG = 10  # steps between fresh tangent vectors


def main(
    out: str = "transformer.png", rates: int = 6, seeds: int = 4, steps: int = 100, samples: int = 100
) -> xr.Dataset:
    """Draws one run and λ(η), and returns the exponents of all runs, nats per step."""
    digits = cj.datasets.digits()  # an image is read as eight tokens of eight pixels
    train, test = (inputs[:samples].reshape(-1, 8, 8) for inputs in (digits.train_inputs, digits.test_inputs))
    data = cj.datasets.Dataset(train, digits.train_targets[:samples], test, digits.test_targets[:samples], outputs=10)
    problem = cj.supervised(cj.models.transformer(features=16, heads=2, blocks=1), data)
    tangents = {"old": cj.probes.lyapunov(), "young": cj.probes.lyapunov(reseed=YOUNG)}
    axes = {"learning_rate": np.geomspace(0.02, 0.8, rates), "seed": range(seeds)}
    probes = {"copies": cj.probes.ensemble(copies=1), **tangents}
    ds = cj.sweep(cj.training(problem, optax.sgd), probes, axes, steps=steps)
    distance = np.log(ds.copies / ds.copies.isel(time=0)).isel(copy=0)
    growth = xr.Dataset({"copies": distance, **{name: ds[name].isel(exponent=0).cumsum("time") for name in tangents}})
    found = growth.isel(time=-1, drop=True) / steps

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    cell = (found.young - found.old).isel(learning_rate=slice(rates // 2)).argmax(...)
    labels = ("perturbed copies", "tangent from t = 0", f"tangents of {YOUNG} to {2 * YOUNG} steps")
    for number, (name, label) in enumerate(zip(growth, labels, strict=True)):
        left.plot(ds.time, growth[name].isel(cell), color=f"C{number}", label=label)
        cj.plotting.band(right, ds.learning_rate, cj.stats.mean_interval(found[name]), colour=f"C{number}", label=label)
    left.set(xlabel="time t (steps)", ylabel="growth since t = 0 (nats)")
    left.set_title(f"η = {float(ds.learning_rate[cell['learning_rate']]):.2g}, one initialisation")
    right.set(xscale="log", xlabel="learning rate η", ylabel=f"exponent λ of {steps} steps (nats/step)")
    right.set_xticks(rounded := [0.02, 0.05, 0.1, 0.2, 0.5], [f"{eta:g}" for eta in rounded])
    right.minorticks_off()
    right.legend()
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        print(main(str(Path(__file__).with_suffix(".png"))).mean("seed"))
