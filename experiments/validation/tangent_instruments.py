"""Instruments beyond the exponents, each on a system where its value is known."""

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import chaosjax as cj
from experiments.validation.rows import Row

CAT = math.log((3 + math.sqrt(5)) / 2)


def tangent_instruments() -> list[Row]:
    """GALI and SALI, covariant vectors, singular vectors, expansion entropy, FSLE, Benettin's copies."""
    parts: tuple[Callable[[], list[Row]], ...] = (gali, covariant, singular, expansion, finite_size, benettin)
    return [row for part in parts for row in part()]


def parameters(system: cj.System) -> dict[str, Any]:
    """The control parameters of a system, by their defaults."""
    return dict(system.theta or {})


def gali() -> list[Row]:
    """On the cat map GALI_2 and SALI fall as exp(−2λt)."""
    begun = time.perf_counter()
    steps = 1000
    ds = cj.sweep(cj.systems.cat(), {"gali": cj.probes.gali()}, {"seed": range(4)}, steps=steps, progress=False)
    seconds = time.perf_counter() - begun
    rows = []
    for name, title in (("gali", "slope of ln GALI₂"), ("gali_sali", "slope of ln SALI")):
        slope = (ds[name].sel(time=steps) - ds[name].sel(time=100)) / (steps - 100)
        rows.append(Row("cat", title, float(slope.mean()), np.nan, -2 * CAT, 1e-5, False, steps, seconds))
    return rows


def covariant() -> list[Row]:
    """On the cat map the covariant vectors are its eigenvectors; on Hénon their exponents are those of the frame."""
    rows = []
    begun = time.perf_counter()
    cat = cj.systems.cat()
    found = jax.jit(
        lambda key: cj.tangent.covariant_vectors(
            cat, key, parameters(cat), k=2, transient=100, steps=1000, backward=100, unstable=1
        )
    )(jax.random.key(0))
    seconds = time.perf_counter() - begun
    angle = np.asarray(found.angles)
    rows.append(
        Row("cat", "angle of the covariant vectors", angle.mean(), np.nan, math.pi / 2, 1e-5, False, 1000, seconds)
    )
    rows.append(Row("cat", "covariant λ1", float(found.exponents[0]), np.nan, CAT, 1e-5, False, 1000, seconds))
    begun = time.perf_counter()
    henon = cj.systems.henon()
    found = jax.jit(
        lambda key: cj.tangent.covariant_vectors(
            henon, key, parameters(henon), k=2, transient=500, steps=20_000, backward=500
        )
    )(jax.random.key(1))
    seconds = time.perf_counter() - begun
    frame = np.asarray(found.orthogonal_growth).mean(axis=0)
    for i in range(2):
        name = f"covariant λ{i + 1}, against the frame's"
        rows.append(Row("henon", name, float(found.exponents[i]), np.nan, frame[i], 1e-4, False, 20_000, seconds))
    return rows


def singular() -> list[Row]:
    """Leading singular value of ten Hénon steps against the dense propagator's."""
    begun = time.perf_counter()
    henon = cj.systems.henon()
    theta, key, steps = parameters(henon), jax.random.key(0), 10
    x = jnp.asarray([0.1, 0.1])
    found = jax.jit(lambda x: cj.tangent.singular_vectors(henon, x, theta, key, 0, steps))(x)
    propagator = np.eye(2)
    for _ in range(steps):
        propagator = np.asarray(jax.jacfwd(lambda x: henon.step(x, theta, None))(x)) @ propagator
        x = henon.step(x, theta, None)
    known = float(np.linalg.svd(propagator)[1][0])
    seconds = time.perf_counter() - begun
    return [
        Row("henon", "σ₁ of the propagator, dense", float(found.values[0]), np.nan, known, 1e-5, True, steps, seconds)
    ]


def expansion() -> list[Row]:
    """Expansion entropy of maps whose expansion is known, and of the logistic map."""
    boxes = {
        "cat": (cj.systems.cat(), CAT, (2,)),
        "tent": (cj.systems.tent(), math.log(1.9999), ()),
        "logistic": (cj.systems.logistic(), math.log(2), ()),
    }
    rows = []
    for name, (system, known, shape) in boxes.items():
        begun = time.perf_counter()
        theta = parameters(system)

        def run(key, system=system, theta=theta, shape=shape):
            return cj.tangent.expansion_entropy(
                system,
                key,
                theta,
                inside=lambda x: jnp.all((x >= 0) & (x <= 1)),
                sample=lambda key: jax.random.uniform(key, shape),
                steps=20,
            )

        found = jax.jit(run)(jax.random.key(0))
        error = float(found.high - found.low) / 3.92
        seconds = time.perf_counter() - begun
        rows.append(Row(name, "expansion entropy", float(found.entropy), error, known, 0.01, True, 20, seconds))
    return rows


def finite_size() -> list[Row]:
    """FSLE at small distances: the exponent of the tent map."""
    begun = time.perf_counter()
    probe = cj.probes.ensemble(1e-10, copies=4)
    ds = cj.sweep(cj.systems.logistic(), {"d": probe}, {"seed": range(200)}, steps=40, progress=False)
    found = cj.stats.finite_size_exponents(ds.d, thresholds=[1e-8, 1e-6, 1e-4])
    seconds = time.perf_counter() - begun
    rows = []
    for threshold in found.threshold.values:
        exponent, low, high = map(float, cj.stats.bounds(found.exponent.sel(threshold=threshold)))
        error = (high - low) / 3.92
        title = f"finite-size exponent at {threshold:.0e}"
        rows.append(Row("logistic", title, exponent, error, math.log(2), 0.05, True, 40, seconds))
    return rows


def benettin() -> list[Row]:
    """Renormalised copies on maps with known exponents."""
    rows = []
    for name in ("logistic", "henon", "cat"):
        reference = cj.systems.REFERENCES[name]
        begun = time.perf_counter()
        probes = {"growth": cj.probes.benettin(1e-8, every=5)}
        steps = 20_000
        ds = cj.sweep(reference.system(), probes, {"seed": range(8)}, steps=steps, stride=100, progress=False)
        exponents: xr.DataArray = cj.stats.finite_time_exponents(ds.growth.isel(renormalised_copy=0), start=1000)
        error = float(exponents.std(ddof=1)) / math.sqrt(8)
        seconds = time.perf_counter() - begun
        known = reference.exponents[0]
        rows.append(Row(name, "λ1, Benettin", float(exponents.mean()), error, known, 0.005, True, 8 * steps, seconds))
    return rows
