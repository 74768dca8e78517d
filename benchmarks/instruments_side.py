"""chaosjax on long cells, spectra, series and larger networks; the peers' sides stand in instruments_peers.py."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import problems
from work import counted, layout_of
from worker import serve
from xarray import DataArray, Dataset

import chaosjax as cj

cj.configure()


class Job(NamedTuple):
    """A sweep, and what of its records is held against the peer's."""

    system: cj.System
    probes: dict[str, cj.Probe]
    axes: dict[str, Any]
    values: Callable[[Dataset], DataArray]
    stride: int = 1
    threads: int | None = None


def _training(task: problems.Task, apply, weights, dtype: str = "float64", microbatch: int | None = None) -> cj.System:
    data = cj.datasets.Dataset(task.inputs, task.targets, task.inputs[:10], task.targets[:10], outputs=10)
    problem = cj.supervised((weights, apply), data, dtype=np.dtype(dtype), microbatch=microbatch)
    return cj.training(problem, optax.sgd)


def _mlp(weights, inputs):
    kernel_0, bias_0, kernel_1, bias_1 = weights
    return jnp.tanh(inputs @ kernel_0 + bias_0) @ kernel_1 + bias_1


def _lenet(weights, inputs):
    """Convolutions as products with patches, as `chaosjax.models.cnn` has them on a CPU."""

    def layer(kernel, h):
        size, (height, width) = len(kernel), h.shape[1:3]
        shifts = [(i, j) for i in range(size) for j in range(size)]
        parts = [h[:, i : i + height - size + 1, j : j + width - size + 1] for i, j in shifts]
        h = jnp.tanh(jnp.concatenate(parts, axis=-1) @ kernel.reshape(-1, kernel.shape[-1]))
        n, height, width, channels = h.shape
        return h.reshape(n, height // 2, 2, width // 2, 2, channels).mean((2, 4))

    h = layer(weights[1], layer(weights[0], jnp.moveaxis(inputs, 1, -1)))
    return jnp.tanh(jnp.moveaxis(h, -1, 1).reshape(len(inputs), -1) @ weights[2]) @ weights[3]


def _perceptron(samples: int, inputs: int, dtype: str = "float64") -> cj.System:
    task = problems.perceptron(samples, inputs, 64, 10)
    return _training(task, _mlp, lambda key, inputs: tuple(jnp.asarray(w, dtype) for w in task.weights), dtype)


def single_cell(every: int) -> Job:
    """Bare steps of one network, a record at every so many."""
    rate = {"learning_rate": [problems.SPECTRUM_RATE]}
    return Job(
        _perceptron(512, 20), {"loss": cj.probes.loss()}, rate, lambda found: found.loss.isel(time=-1), every, threads=1
    )


def gd_spectrum() -> Job:
    """Four exponents of that network's training."""
    rate = {"learning_rate": [problems.SPECTRUM_RATE]}
    return Job(_perceptron(512, 20), {"growth": cj.probes.lyapunov(k=4)}, rate, lambda found: _mean(found.growth))


def lorenz96(systems: int) -> Job:
    """All 40 exponents of each system."""
    starts, dt = jnp.asarray(problems.lorenz_starts(systems)), problems.LORENZ_DT

    def flow(u):
        return (jnp.roll(u, -1) - jnp.roll(u, 2)) * jnp.roll(u, 1) - u + problems.FORCING

    def step(u, theta, noise):
        a = flow(u)
        b = flow(u + dt / 2 * a)
        c = flow(u + dt / 2 * b)
        d = flow(u + dt * c)
        return u + dt / 6 * (a + 2 * b + 2 * c + d)

    system = cj.System(init=lambda key, theta: starts[jnp.int32(theta["number"])], step=step)
    number = {"number": np.arange(float(systems))}
    probes = {"growth": cj.probes.lyapunov(k=40)}
    return Job(system, probes, number, lambda found: _mean(found.growth.isel(number=0))[:1] / dt)


def lenet(samples: int, cells: int, microbatch: int = 2) -> Job:
    """A tangent vector along the training of each of some convolutional networks."""
    task = problems.images(samples, cells)
    stacked = [jnp.asarray(kernel) for kernel in task.weights]
    stacked[:2] = [jnp.moveaxis(kernel, (3, 4, 2, 1), (1, 2, 3, 4)) for kernel in stacked[:2]]

    def pick(params, theta):
        return tuple(kernel[jnp.int32(theta["number"])] for kernel in stacked)

    base = _training(task, _lenet, lambda key, inputs: tuple(kernel[0] for kernel in stacked), microbatch=microbatch)

    def init(key, theta):
        return base.init(key, theta)._replace(params=pick(None, theta))

    return Job(
        base._replace(init=init, theta=None),
        {"growth": cj.probes.lyapunov(k=1), "loss": cj.probes.loss()},
        {"number": np.arange(float(cells)), "learning_rate": [problems.IMAGE_RATE]},
        lambda found: found.loss.isel(time=-1, learning_rate=0),
    )


def mnist(samples: int, dtype: str, by: str) -> Job:
    """Growth at every step, of a tangent vector or by 5 copies, of a network 784–64–10."""
    probe = {
        "tangent": cj.probes.lyapunov(k=1),
        "copies": cj.probes.ensemble(copies=5, radius=1e-6 if dtype == "float64" else 1e-2),
    }[by]
    rate = {"learning_rate": [problems.MNIST_RATE]}
    return Job(_perceptron(samples, 784, dtype), {"growth": probe}, rate, lambda found: DataArray([]))


JOBS = {"single_cell": single_cell, "gd_spectrum": gd_spectrum, "lorenz96": lorenz96, "lenet": lenet, "mnist": mnist}


def run(job: str, steps: int, **options: Any) -> dict:
    """The rate of a job, and its values."""
    made = JOBS[job](**options)
    found = cj.sweep(
        made.system, made.probes, made.axes, steps=steps, stride=made.stride, threads=made.threads, progress=False
    )
    attrs = cj.provenance_of(found)
    return {
        "rate": attrs["cell_steps_per_second"],
        "compile_seconds": attrs["trace_seconds"] + attrs["compile_seconds"],
        "values": np.ravel(made.values(found).values).tolist(),
        "layout": layout_of(found, made.threads),
    }


def work(job: str, steps: int, layout: dict, **options: Any) -> dict:
    """The work of a step of one of its cells."""
    made = JOBS[job](**options)
    theta = {name: float(values[0]) for name, values in made.axes.items()}
    return counted(made.system, made.probes, theta, made.stride, **layout)


def rosenstein(length: int, series: int) -> dict:
    """The largest exponent of each series, from its values alone."""
    values = problems.henon(length, series)
    data = DataArray(values, dims=("series", "time"))
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        cj.series.apply(cj.series.rosenstein, data)
        seconds.append(time.perf_counter() - begun)
    return {"rate": series / seconds[1], "compile_seconds": seconds[0] - seconds[1], "values": []}


def _mean(growth: DataArray) -> DataArray:
    return growth.isel(time=slice(1, None)).mean("time")


if __name__ == "__main__":
    serve(run, rosenstein, work)
