"""Coverage of the intervals, and the exponential-window fit on curves whose rate is known or absent."""

import time

import numpy as np
import xarray as xr

from chaosjax import stats
from experiments.validation.rows import Row


def statistics(replicates: int = 3000) -> list[Row]:
    """Intervals cover the truth in 95 of 100 simulations; the fit finds the planted rate, or says none."""
    return [*coverage_of_bootstrap(replicates), *coverage_of_batch_means(replicates), *planted_rate(), *no_phase()]


def _covered(name: str, interval: xr.DataArray, truth: float, samples: int, begun: float) -> Row:
    _, low, high = stats.bounds(interval)
    covered = ((low <= truth) & (high >= truth)).values
    error = np.sqrt(0.95 * 0.05 / covered.size)
    seconds = time.perf_counter() - begun
    return Row(name, "coverage of 95 % intervals", covered.mean(), error, 0.95, 0.02, False, samples, seconds)


def coverage_of_bootstrap(replicates: int) -> list[Row]:
    """`stats.mean_interval` over seeds, of Gaussian and of skewed exponents."""
    rows = []
    rng = np.random.default_rng(0)
    for n in (5, 20):
        for shape in ("Gaussian", "skewed"):
            begun = time.perf_counter()
            size = (replicates, n)
            draws = rng.standard_normal(size) if shape == "Gaussian" else rng.gamma(4.0, size=size) - 4
            cells = xr.DataArray(draws, dims=("replicate", "seed"))
            interval = stats.mean_interval(cells, resampling=stats.Resampling(resamples=4000))
            rows.append(_covered(f"bootstrap of {n} {shape} seeds", interval, 0.0, n, begun))
    return rows


def coverage_of_batch_means(replicates: int) -> list[Row]:
    """`stats.lyapunov_spectrum` on AR(1) growth."""
    rows = []
    rng = np.random.default_rng(1)
    for correlation in (0.0, 0.8):
        begun = time.perf_counter()
        length = 2000
        values = np.empty((length + 1, replicates))
        values[0] = rng.standard_normal(replicates)
        for t in range(length):
            values[t + 1] = correlation * values[t] + np.sqrt(1 - correlation**2) * rng.standard_normal(replicates)
        growth = xr.DataArray(0.3 + values, dims=("time", "seed"), coords={"time": np.arange(length + 1)})
        exponents = stats.lyapunov_spectrum(growth).exponents
        rows.append(_covered(f"batch means, AR({correlation})", exponents, 0.3, length, begun))
    return rows


def planted_rate() -> list[Row]:
    """Exponential growth between a noise floor and saturation."""
    rows = []
    rng = np.random.default_rng(2)
    time_axis = np.arange(201)
    for rate in (0.1, 0.3, 0.6):
        begun = time.perf_counter()
        noise = np.exp(0.02 * rng.standard_normal((50, 201)))
        grown = 1e-10 * np.exp(rate * np.clip(time_axis - 20, 0, 18 / rate)) * noise
        fit = stats.exponential_window(
            xr.DataArray(grown, dims=("seed", "time"), coords={"time": time_axis}), starts=range(0, 101, 5)
        )
        kept = fit.exponent.where(fit.kept)
        error = float(kept.std(ddof=1)) / np.sqrt(int(fit.kept.sum()))
        seconds = time.perf_counter() - begun
        rows.append(
            Row(f"planted rate {rate}", "exponential window", float(kept.mean()), error, rate, 0.01, True, 50, seconds)
        )
    return rows


def no_phase() -> list[Row]:
    """The fraction of curves without an exponential phase that the filter and the comparison with a power law keep."""
    rng = np.random.default_rng(3)
    t = np.arange(201)
    curves = {
        "flat": np.ones(201),
        "power law": (1.0 + t) ** 2,
        "diffusion": np.sqrt(1.0 + t),
        "oscillation": 2 + np.sin(2 * np.pi * t / 20),
    }
    rows = []
    for name, curve in curves.items():
        begun = time.perf_counter()
        noisy = 1e-6 * curve * np.exp(0.05 * rng.standard_normal((200, 201)))
        fit = stats.exponential_window(xr.DataArray(noisy, dims=("seed", "time"), coords={"time": t}))
        called = fit.kept & (fit.r2 > fit.power_law_r2)
        seconds = time.perf_counter() - begun
        rows.append(
            Row(f"{name}, 200 curves", "called exponential", float(called.mean()), np.nan, 0, 0.02, False, 200, seconds)
        )
    return rows
