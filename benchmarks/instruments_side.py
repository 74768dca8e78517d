"""chaosjax on long cells, spectra, series and larger networks; the peers' sides stand in instruments_peers.py."""

import time

import jax.numpy as jnp
import numpy as np
import optax
import problems
from worker import serve
from xarray import DataArray, Dataset

import chaosjax as cj

cj.configure()


def _training(task: problems.Task, apply, weights, dtype: str = "float64") -> cj.System:
    data = cj.datasets.Dataset(task.inputs, task.targets, task.inputs[:10], task.targets[:10], outputs=10)
    return cj.training(cj.supervised((weights, apply), data, dtype=np.dtype(dtype)), optax.sgd)


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


def single_cell(steps: int, every: int) -> dict:
    """Bare steps of one network, a record at every so many."""
    found = cj.sweep(
        _perceptron(512, 20),
        {"loss": cj.probes.loss()},
        {"learning_rate": [problems.SPECTRUM_RATE]},
        steps=steps,
        stride=every,
        progress=False,
        threads=1,
    )
    return _figures(found, found.loss.isel(time=-1))


def gd_spectrum(steps: int) -> dict:
    """Four exponents of that network's training."""
    found = cj.sweep(
        _perceptron(512, 20),
        {"growth": cj.probes.lyapunov(k=4)},
        {"learning_rate": [problems.SPECTRUM_RATE]},
        steps=steps,
        progress=False,
    )
    return _figures(found, found.growth.isel(time=slice(1, None)).mean("time"))


def lorenz96(systems: int, steps: int) -> dict:
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
    found = cj.sweep(
        system,
        {"growth": cj.probes.lyapunov(k=40)},
        {"number": np.arange(float(systems))},
        steps=steps,
        progress=False,
    )
    return _figures(found, found.growth.isel(number=0, time=slice(1, None)).mean("time")[:1] / dt)


def lenet(samples: int, cells: int, steps: int) -> dict:
    """A tangent vector along the training of each of some convolutional networks."""
    task = problems.images(samples, cells)
    stacked = [jnp.asarray(kernel) for kernel in task.weights]
    stacked[:2] = [jnp.moveaxis(kernel, (3, 4, 2, 1), (1, 2, 3, 4)) for kernel in stacked[:2]]

    def pick(params, theta):
        return tuple(kernel[jnp.int32(theta["number"])] for kernel in stacked)

    base = _training(task, _lenet, lambda key, inputs: tuple(kernel[0] for kernel in stacked))

    def init(key, theta):
        return base.init(key, theta)._replace(params=pick(None, theta))

    found = cj.sweep(
        base._replace(init=init, theta=None),
        {"growth": cj.probes.lyapunov(k=1), "loss": cj.probes.loss()},
        {"number": np.arange(float(cells)), "learning_rate": [problems.IMAGE_RATE]},
        steps=steps,
        progress=False,
    )
    return _figures(found, found.loss.isel(time=-1, learning_rate=0))


def mnist(samples: int, steps: int, dtype: str, by: str) -> dict:
    """Growth at every step, of a tangent vector or by 5 copies, of a network 784–64–10."""
    probe = {
        "tangent": cj.probes.lyapunov(k=1),
        "copies": cj.probes.ensemble(copies=5, radius=1e-6 if dtype == "float64" else 1e-2),
    }[by]
    found = cj.sweep(
        _perceptron(samples, 784, dtype),
        {"growth": probe},
        {"learning_rate": [problems.MNIST_RATE]},
        steps=steps,
        progress=False,
    )
    return _figures(found, DataArray([]))


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


def _figures(found: Dataset, values: DataArray) -> dict:
    attrs = cj.provenance_of(found)
    return {
        "rate": attrs["cell_steps_per_second"],
        "compile_seconds": attrs["trace_seconds"] + attrs["compile_seconds"],
        "values": np.ravel(values.values).tolist(),
    }


if __name__ == "__main__":
    serve(single_cell, gd_spectrum, lorenz96, lenet, mnist, rosenstein)
