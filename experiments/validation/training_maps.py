"""Spectra of training maps against dense Jacobians in extended precision, through the edge of stability."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import chaosjax as cj
from experiments.validation.rows import Row

STEPS = 200
SETTLE = 100


class Setting(NamedTuple):
    """An optimizer, its learning rate η, and c in its threshold ηS = c (None: that of a preconditioned Hessian)."""

    optimizer: Callable[..., Any]
    learning_rate: float
    threshold: float | None


SETTINGS = {
    "gradient descent": Setting(optax.sgd, 0.43, 2.0),
    "heavy ball": Setting(partial(optax.sgd, momentum=0.9), 0.85, 3.8),
    "Nesterov": Setting(partial(optax.sgd, momentum=0.9, nesterov=True), 0.3, 3.8 / 2.8),
    "RMSprop": Setting(optax.rmsprop, 0.05, None),
    "Adam": Setting(optax.adam, 0.05, None),
}


def training_maps(steps: int = STEPS, names: tuple[str, ...] = tuple(SETTINGS)) -> list[Row]:
    """For every optimizer k = d and k = 4, and the largest exponent in float32 against float64."""
    return [row for name in names for row in (*against_dense(name, steps), *single_precision(name, steps))]


def network(dtype: str) -> cj.Problem:
    """2–4(tanh)–2 on spirals, squared error: 22 parameters, up to 66 coordinates with the optimizer's."""
    return cj.supervised(cj.models.mlp([4]), cj.datasets.spirals(samples=60), loss="squared_error", dtype=dtype)


def against_dense(name: str, steps: int) -> list[Row]:
    """The exponent that is furthest from Gram–Schmidt in extended precision on the Jacobians along the same run."""
    begun = time.perf_counter()
    setting = SETTINGS[name]
    system = cj.training(network("float64"), setting.optimizer)
    theta, key = {"learning_rate": setting.learning_rate}, jax.random.key(0)
    d = cj.phase(system.init(key, theta))[0].size
    probes = {
        "all": cj.probes.lyapunov(k=d),
        "four": cj.probes.lyapunov(k=4)._replace(dims=("leading",)),
        "point": cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
        "sharpness": cj.probes.every(10, cj.probes.sharpness()),
    }
    axes = {"learning_rate": [setting.learning_rate], "seed": [0]}
    ds = cj.sweep(system, probes, axes, steps=steps, progress=False).squeeze()
    carry = cj.start(system, probes, key, theta)
    jacobians = dense_jacobians(system, theta, carry.x, ds.point.values[:-1])
    note = ""
    if setting.threshold is not None:
        edge = ds.sharpness.dropna("time") * setting.learning_rate / setting.threshold
        note = f"sharpness over its threshold: {float(edge[0]):.2f} at the start, {float(edge.max()):.2f} at most"
    rows = []
    for probe, title in (("all", f"all {d} exponents, dense"), ("four", "4 exponents, dense")):
        found = ds[probe].sum("time").values / steps
        reference = gram_schmidt(jacobians, np.asarray(carry.memories[probe].vectors))
        worst = int(np.argmax(np.abs(found - reference)))
        seconds = time.perf_counter() - begun
        rows.append(Row(name, title, found[worst], np.nan, reference[worst], 1e-8, False, steps, seconds, note))
        note = ""
    return rows


def dense_jacobians(system: cj.System, theta: Any, x: Any, points: np.ndarray) -> np.ndarray:
    """The step's Jacobian ``[steps, d, d]`` at each recorded point; counters advance as in the run."""

    @jax.jit
    def walk(x: Any) -> Any:
        def one(x: Any, u: Any) -> Any:
            chart = cj.phase(x)[1]
            jacobian = jax.jacfwd(lambda u: cj.phase(system.step(chart(u), theta, None))[0])(u)
            return system.step(chart(u), theta, None), jacobian

        return jax.lax.scan(one, x, jnp.asarray(points))[1]

    return np.asarray(walk(x))


def gram_schmidt(jacobians: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """Exponents of a frame ``[k, d]`` under a product of Jacobians, orthonormalised twice in extended precision."""
    columns = frame.T.astype(np.longdouble)
    growth = np.zeros(len(frame), np.longdouble)
    for jacobian in jacobians.astype(np.longdouble):
        columns = jacobian @ columns
        for i in range(columns.shape[1]):
            for _ in range(2):
                columns[:, i] -= columns[:, :i] @ (columns[:, :i].T @ columns[:, i])
            length = np.sqrt(np.sum(columns[:, i] ** 2))
            growth[i] += np.log(length)
            columns[:, i] /= length
    return np.asarray(growth / len(jacobians), float)


def single_precision(name: str, steps: int) -> list[Row]:
    """A float32 run's largest exponent: against float64 arithmetic along its own points, and against a float64 run."""
    begun = time.perf_counter()
    setting = SETTINGS[name]
    single = cj.training(network("float32"), setting.optimizer)
    double = cj.training(network("float64"), setting.optimizer)
    theta = {"learning_rate": setting.learning_rate}

    def same_start(key: Any, theta: Any) -> Any:
        x = double.init(key, theta)
        return jax.tree.map(lambda a, b: b.astype(a.dtype), x, single.init(key, theta))

    probes = {
        "growth": cj.probes.lyapunov(),
        "point": cj.probes.reading(lambda transition: cj.phase(transition.x)[0], dims=("coordinate",)),
    }
    axes = {"learning_rate": [setting.learning_rate], "seed": range(3)}
    runs = [
        cj.sweep(system, probes, axes, steps=steps, progress=False).isel(learning_rate=0)
        for system in (single, double._replace(init=same_start))
    ]
    carry = cj.start(single, probes, jax.random.key(0), theta)
    x = same_start(jax.random.fold_in(jax.random.key(0), 0), theta)
    jacobians = dense_jacobians(double, theta, x, runs[0].point.sel(seed=0).values[:-1].astype(float))
    along = gram_schmidt(jacobians, np.asarray(carry.memories["growth"].vectors, float))[0]
    own = float(runs[0].growth.sel(seed=0).astype(float).sum("time").squeeze()) / steps
    seconds = time.perf_counter() - begun
    title = "largest exponent, float32, along its own points"
    rows = [Row(name, title, own, np.nan, along, 1e-3, False, steps, seconds)]
    settle = min(SETTLE, steps // 2)
    found = [
        cj.stats.finite_time_exponents(ds.growth.astype(float), start=settle).isel(exponent=0).values for ds in runs
    ]
    worst = int(np.argmax(np.abs(found[0] - found[1])))
    title = "largest exponent, float32 run against float64 run (worst of 3 seeds)"
    return [*rows, Row(name, title, found[0][worst], np.nan, found[1][worst], np.inf, False, steps, seconds)]
