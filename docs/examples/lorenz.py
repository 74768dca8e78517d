"""The Lorenz attractor, and its three Lyapunov exponents as they settle."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import chaosjax as cj


def main(out: str = "lorenz.png", seeds: int = 8, steps: int = 100_000, transient: int = 2500) -> xr.Dataset:
    """Draws both and returns, by seed, `exponents` (nats per unit time), their `sum`, `kaplan_yorke` and more."""
    lorenz = cj.systems.lorenz()  # a flow is handled as the map from one point to that a time step later
    time_step = lorenz.attrs["time_step"]
    probes = {
        "growth": cj.probes.lyapunov(k=3),  # of three tangent vectors
        "point": cj.probes.reading(lambda transition: transition.x, dims=("axis",)),
    }
    ds = cj.sweep(lorenz, probes, {"seed": np.arange(seeds)}, steps=steps)  # each seed another start
    found = cj.stats.lyapunov_spectrum(ds.growth, start=transient, time_step=time_step)  # once on the attractor

    growth = ds.growth.sel(time=slice(transient + 1, None))
    elapsed = (growth.time - transient) * time_step
    running = (growth.cumsum("time") / elapsed).assign_coords(time=elapsed)  # the result, had the run ended here
    running = running.sel(time=np.geomspace(1, elapsed[-1], 200), method="nearest").transpose("time", "seed", ...)
    x, _, z = ds.point.isel(seed=0, time=slice(transient, transient + 1500)).transpose("axis", "time")

    figure, panels = plt.subplot_mosaic("AU;AL", figsize=(8, 4), layout="constrained")
    panels["A"].plot(x, z, linewidth=0.3)
    panels["A"].set(xlabel="x", ylabel="z", title=f"{x.size * time_step:g} units of time")
    for i, known in enumerate(cj.systems.REFERENCES["lorenz"].exponents):
        ax = panels["L" if i == 2 else "U"]
        ax.plot(running.time, running.isel(exponent=i), color=f"C{i}", linewidth=0.7)  # a line for each seed
        ax.axhline(known, color="black", linewidth=0.8, linestyle="--", label=f"published: {known:g}")
        ax.set(xscale="log", xlim=(1, float(elapsed[-1])))
        ax.legend(fontsize="small")
    panels["U"].set(ylabel="λ₁, λ₂ (nats/time)", xticklabels=[])
    panels["L"].set(ylabel="λ₃ (nats/time)", xlabel="units of time averaged over")
    figure.savefig(out, dpi=90)
    plt.close(figure)
    return found.assign(exponents=cj.stats.bounds(found.exponents)[0])


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        spectrum = main(str(Path(__file__).with_suffix(".png")))
    for name in ("exponents", "sum", "kaplan_yorke"):
        value, low, high = (end.values.round(5) for end in cj.stats.bounds(cj.stats.mean_interval(spectrum[name])))
        print(f"{name}: {value} in {low} to {high}")
