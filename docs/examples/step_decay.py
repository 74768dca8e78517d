"""Does a chaotic start pay? A large learning rate, dropped after some steps, against a small one and no drop."""

from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import chaosjax as cj

SMALL = 1.0


def decayed(learning_rate, drop_at) -> optax.GradientTransformation:
    """Every argument of an optimizer is a control parameter and can be an axis: it arrives as a traced number."""
    return optax.sgd(lambda count: jnp.where(count < drop_at, learning_rate, SMALL))


def main(out: str = "step_decay.png", seeds: int = 10, steps: int = 200, drops: tuple[int, ...] = (20, 40)):
    """Draws error, loss and λ(t) and returns their records `[learning_rate, drop_at, seed, time]`."""
    problem = cj.supervised(cj.models.mlp([32], activation="tanh"), cj.datasets.digits())
    probes = {"accuracy": cj.probes.metric("test_accuracy"), "loss": cj.probes.loss(), "growth": cj.probes.lyapunov()}
    # A drop at step 0 is the small learning rate throughout, one after the last step the large one.
    axes = {"learning_rate": [2.5, 4.0], "drop_at": [0, *drops, steps], "seed": np.arange(seeds)}
    ds = cj.sweep(cj.training(problem, decayed), probes, axes, steps=steps, stride=2)

    figure, rows = plt.subplots(3, 2, sharex=True, sharey="row", figsize=(7, 7), layout="constrained")
    exponent = cj.stats.window_exponents(ds.growth.isel(exponent=0), window=10).rename(window_end="time")
    drawn = {"test error": 1 - ds.accuracy, "log₁₀ training loss": np.log10(ds.loss), "λ (nats/step)": exponent}
    for (label, values), row in zip(drawn.items(), rows, strict=True):
        row[0].set_ylabel(label)
        for ax, eta in zip(row, ds.learning_rate.values, strict=True):
            for number, drop_at in enumerate(ds.drop_at.values):
                name = {0: f"{SMALL:g} throughout", steps: "no drop"}.get(drop_at, f"drop at {drop_at:g}")
                mean = cj.stats.mean_interval(values.sel(learning_rate=eta, drop_at=drop_at))  # over seeds
                cj.plotting.band(ax, mean.time, mean, colour=f"C{number}", label=name, marker="")
    for ax, eta in zip(rows[0], ds.learning_rate.values, strict=True):
        ax.set(title=f"η = {eta:g} until the drop, then {SMALL:g}", yscale="log")
    figure.supxlabel("time t (steps)", fontsize="medium")
    rows[0, 0].legend(fontsize="small", title="mean and 95 % over seeds", title_fontsize="small")
    figure.savefig(out, dpi=90)
    plt.close(figure)
    return ds


if __name__ == "__main__":
    cj.configure(x64=False)  # float32 is enough: a tangent vector needs no small radius
    with cj.plotting.style():
        ds = main(str(Path(__file__).with_suffix(".png")))
    for against in ds.drop_at.values[[0, -1]]:  # of the same seeds
        gain = (ds.accuracy - ds.accuracy.sel(drop_at=against)).drop_sel(drop_at=against).sel(time=[50, 100, 200])
        table = cj.stats.mean_interval(gain).to_dataset("bound").to_dataframe().round(3)
        print(f"Accuracy beyond that of drop_at={against:g}:\n{table}")
