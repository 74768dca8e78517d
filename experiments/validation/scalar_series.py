"""Estimators of scalar series with their default arguments, where the answer is known and where there is none."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import chaosjax as cj
from experiments.validation.rows import Row

POINTS = 5000
SEEDS = 8


def orbits(system: cj.System, axes: dict, points: int = POINTS, transient: int = 1000) -> xr.DataArray:
    """The first coordinate of a map's orbits after a transient, ``[..., time]``."""
    probe = cj.probes.reading(lambda transition: cj.phase(transition.x)[0][0])
    ds = cj.sweep(system, {"x": probe}, axes, steps=transient + points - 1, progress=False)
    return ds.x.isel(time=slice(transient, None))


def noise(points: int = POINTS) -> dict[str, xr.DataArray]:
    """Series that have no exponent."""
    rng = np.random.default_rng(0)
    t = np.arange(points)
    white = rng.standard_normal((SEEDS, points))
    sines = np.sin(0.1 * t[None] + rng.uniform(0, 6, (SEEDS, 1)))
    series = {"white noise": white, "random walk": white.cumsum(axis=1), "sine": sines}
    return {name: xr.DataArray(values, dims=("seed", "time")) for name, values in series.items()}


def scalar_series() -> list[Row]:
    """Largest exponents within 5 %, dimensions, the 0–1 test, entropies, and a null where there is nothing to find."""
    seeds = {"seed": range(SEEDS)}
    logistic = orbits(cj.systems.logistic(), seeds)
    henon = orbits(cj.systems.henon(), seeds)
    rows = []
    for name, estimator in {"Rosenstein": cj.series.rosenstein, "Kantz": cj.series.kantz}.items():
        rows.append(known("logistic x", name, estimator, logistic, math.log(2), 0.05))
        rows.append(known("henon x", name, estimator, henon, 0.41922, 0.05))
        rows += [null(kind, name, estimator, values) for kind, values in noise().items()]
    dimension = cj.series.correlation_dimension
    rows.append(known("henon x", "correlation dimension", dimension, henon, 1.220, 0.05, "published 1.220 ± .036"))
    zero_one = partial(cj.series.zero_one_test, key=jax.random.key(0))
    rows.append(known("logistic x", "0–1 test", zero_one, logistic, 1.0, 0.05))
    periodic = orbits(cj.systems.logistic(3.5), seeds)
    rows.append(known("logistic x, r = 3.5", "0–1 test", zero_one, periodic, 0.0, 0.05, relative=False))
    exact = -sum(p * math.log(p) for p in (1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5)) / math.log(6)
    entropy = partial(cj.series.permutation_entropy, order=3)
    rows.append(known("logistic x", "permutation entropy, order 3", entropy, logistic, exact, 0.01))
    rows.append(false_positives())
    return rows


def known(
    system: str,
    estimator: str,
    function: Callable[..., Any],
    series: xr.DataArray,
    reference: float,
    aim: float,
    note: str = "",
    relative: bool = True,
) -> Row:
    """Mean over seeds; its standard error is theirs. The note says how many seeds' own intervals hold the reference."""
    begun = time.perf_counter()
    found = cj.series.apply(function, series)
    seconds = time.perf_counter() - begun
    values, low, high = cj.stats.bounds(found.value)
    covered = int(((low <= reference) & (high >= reference)).sum())
    text = f"{covered} of {values.size} intervals hold the reference"
    worst = float(abs(values - reference).max())
    text += (
        f"; furthest seed off by {worst / abs(reference):.1%}" if relative else f"; furthest seed off by {worst:.3f}"
    )
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    length = series.sizes["time"]
    return Row(
        system,
        estimator,
        float(values.mean(skipna=False)),
        error,
        reference,
        aim,
        relative,
        length,
        seconds,
        f"{text}{'; ' + note if note else ''}",
    )


def null(kind: str, estimator: str, function: Callable[..., Any], series: xr.DataArray) -> Row:
    """The fraction of series without an exponent that are given one."""
    begun = time.perf_counter()
    found = cj.series.apply(function, series)
    seconds = time.perf_counter() - begun
    called = float(cj.stats.bounds(found.value)[0].notnull().mean())
    reasons = sorted({cj.series.REASONS[int(code)] for code in np.unique(found.reason)})
    title = f"{estimator}: given an exponent"
    note = "reasons: " + ", ".join(reason or "none" for reason in reasons)
    return Row(kind, title, called, np.nan, 0, 0.05, False, series.sizes["time"], seconds, note)


def false_positives() -> Row:
    """Surrogate test at 5 % on autoregressions, which are the null: how often it rejects."""
    begun = time.perf_counter()
    count, points = 100, 500

    def asymmetry(x: jax.Array) -> jax.Array:
        rise = jnp.diff(x)
        return jnp.mean(rise**3) / jnp.mean(rise**2) ** 1.5

    def one(key: jax.Array) -> jax.Array:
        first, second = jax.random.split(key)
        kicks = jax.random.normal(first, (points,))
        series = jax.lax.scan(lambda x, kick: (0.7 * x + kick, 0.7 * x + kick), jnp.zeros(()), kicks)[1]
        return cj.series.surrogate_test(asymmetry, series, second, count=39).p_value

    p_values = jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=8))(jax.random.split(jax.random.key(0), count))
    rejected = float(jnp.mean(p_values <= 0.05))
    seconds = time.perf_counter() - begun
    error = math.sqrt(0.05 * 0.95 / count)
    return Row("AR(0.7)", "IAAFT surrogate test, false positives", rejected, error, 0.05, 0.05, False, points, seconds)
