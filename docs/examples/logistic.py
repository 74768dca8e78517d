"""Where the logistic map x' = r x (1 − x) is chaotic: its bifurcation diagram, and its Lyapunov exponent below it."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import chaosjax as cj


def main(
    out: str = "logistic.png", values: int = 1500, seeds: int = 4, steps: int = 4000, last: int = 150
) -> xr.DataArray:
    """Draws both over r in [2.8, 4] and returns the exponents `[r, seed]` in nats per step."""
    logistic = cj.systems.logistic()
    r = np.linspace(2.8, 4, values)

    # A probe measures along each orbit; growth adds up between records, so few records hold all of it.
    growth = {"growth": cj.probes.lyapunov()}
    ds = cj.sweep(logistic, growth, {"r": r, "seed": np.arange(seeds)}, steps=steps, stride=steps // 4)
    exponents = cj.stats.finite_time_exponents(ds.growth, start=steps // 4).isel(
        exponent=0
    )  # without the first quarter

    # The diagram shows every point of the last steps. A probe of one's own reads whatever it likes.
    orbit = {"x": cj.probes.reading(lambda transition: transition.x)}
    x = cj.sweep(logistic, orbit, {"r": r}, steps=steps // 4 + last).x.isel(time=slice(-last, None))

    figure, (top, bottom) = plt.subplots(2, sharex=True, figsize=(7.5, 6), layout="constrained")
    top.plot(r, x, ",", color="black", alpha=0.15, rasterized=True)
    top.set_ylabel(f"x at each of the last {last} steps")
    bottom.plot(r, exponents.mean("seed"), linewidth=0.7)
    bottom.plot(4, np.log(2), "o", color="C3", clip_on=False, label="exact at r = 4: ln 2")
    bottom.axhline(0, color="black", linewidth=0.8)
    bottom.set(xlabel="r", ylabel="exponent λ (nats/step)", xlim=(2.8, 4), ylim=(-1.5, 0.8))
    bottom.legend(loc="lower left")
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return exponents


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        found = cj.stats.mean_interval(main(str(Path(__file__).with_suffix(".png"))).sel(r=4))
    value, low, high = map(float, cj.stats.bounds(found))
    print(f"r = 4: λ = {value:.5f}, 95 % in {low:.5f} to {high:.5f}; exact: {np.log(2):.5f}")
