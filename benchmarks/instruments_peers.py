"""The peers of instruments_side.py: plain JAX, lyapax, nolds and PyTorch, as their documentation has them."""
# pyright: reportMissingImports=false

import time
import warnings

import jax
import jax.numpy as jnp
import lyapax
import numpy as np
import problems
import torch
from jax.flatten_util import ravel_pytree
from torch.func import grad, jvp, vmap
from worker import serve

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks setuptools for its own files
    import nolds

jax.config.update("jax_enable_x64", True)


def _timed(run) -> tuple[float, float]:
    """Seconds of the second call, and how much longer the first one took."""
    seconds = []
    for _ in range(2):
        begun = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - begun)
    return seconds[1], seconds[0] - seconds[1]


def _perceptron():
    task = problems.perceptron(512, 20, 64, 10)
    inputs, targets = jnp.asarray(task.inputs), jnp.asarray(np.eye(10)[task.targets])

    def loss(weights):
        kernel_0, bias_0, kernel_1, bias_1 = weights
        outputs = jnp.tanh(inputs @ kernel_0 + bias_0) @ kernel_1 + bias_1
        return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1))

    def step(weights):
        return jax.tree.map(lambda w, g: w - problems.SPECTRUM_RATE * g, weights, jax.grad(loss)(weights))

    return loss, step, tuple(map(jnp.asarray, task.weights))


def single_cell(steps: int, every: int) -> dict:
    """A jitted scan over scans of the same step, in plain JAX."""
    loss, step, weights = _perceptron()

    @jax.jit
    def train(weights):
        def block(weights, _):
            value = loss(weights)
            return jax.lax.scan(lambda w, _: (step(w), None), weights, length=every)[0], value

        weights, values = jax.lax.scan(block, weights, length=steps // every)
        return loss(weights), values

    seconds, more = _timed(lambda: jax.block_until_ready(train(weights)))
    return {"rate": steps / seconds, "compile_seconds": more, "values": [float(train(weights)[0])]}


def gd_spectrum(steps: int) -> dict:
    """lyapax under jit, on the raveled weights."""
    _, step, weights = _perceptron()
    flat, unravel = ravel_pytree(weights)

    @jax.jit
    def spectrum(w):
        return lyapax.lyapunov_spectrum(lambda w: ravel_pytree(step(unravel(w)))[0], w, 1.0, steps, k=4).exponents

    seconds, more = _timed(lambda: jax.block_until_ready(spectrum(flat)))
    return {"rate": steps / seconds, "compile_seconds": more, "values": np.asarray(spectrum(flat)).tolist()}


def lorenz96(systems: int, steps: int) -> dict:
    """lyapax under jit, of several systems under vmap."""
    starts = jnp.asarray(problems.lorenz_starts(systems))

    def flow(u):
        return (jnp.roll(u, -1) - jnp.roll(u, 2)) * jnp.roll(u, 1) - u + problems.FORCING

    step = lyapax.integrators.rk4_step(flow, problems.LORENZ_DT)

    def spectrum(u):
        return lyapax.lyapunov_spectrum(step, u, problems.LORENZ_DT, steps).exponents

    run = jax.jit(jax.vmap(spectrum) if systems > 1 else lambda starts: spectrum(starts[0])[None])
    seconds, more = _timed(lambda: jax.block_until_ready(run(starts)))
    return {"rate": systems * steps / seconds, "compile_seconds": more, "values": [float(run(starts)[0, 0])]}


def rosenstein(length: int, series: int) -> dict:
    """nolds, one series after the other."""
    warnings.simplefilter("ignore")
    values = problems.henon(length, series)
    begun = time.perf_counter()
    for one in values:
        nolds.lyap_r(one, emb_dim=2, lag=1, min_tsep=4, trajectory_len=26, fit="poly")
    return {"rate": series / (time.perf_counter() - begun), "compile_seconds": 0.0, "values": []}


def lenet(samples: int, cells: int, steps: int) -> dict:
    """torch.func: vmap over networks of jvp of a step."""
    task = problems.images(samples, cells)
    inputs, targets = torch.from_numpy(task.inputs), torch.from_numpy(task.targets)

    def loss(weights):
        hidden = inputs
        for kernel in weights[:2]:
            hidden = torch.nn.functional.avg_pool2d(torch.tanh(torch.nn.functional.conv2d(hidden, kernel)), 2)
        outputs = torch.tanh(hidden.reshape(len(inputs), -1) @ weights[2]) @ weights[3]
        return torch.nn.functional.cross_entropy(outputs, targets)

    def step(weights):
        return tuple(w - problems.IMAGE_RATE * g for w, g in zip(weights, grad(loss)(weights), strict=True))

    weights = tuple(map(torch.from_numpy, task.weights))
    tangents = tuple(torch.randn_like(w) for w in weights)

    def train():
        w, v = weights, tangents
        with torch.no_grad():
            for _ in range(steps):
                w, v = vmap(lambda w, v: jvp(step, (w,), (v,)))(w, v)
                size = torch.stack([(part**2).flatten(1).sum(1) for part in v]).sum(0).sqrt()
                v = tuple(part / size.reshape(-1, *[1] * (part.ndim - 1)) for part in v)
            return vmap(loss)(w).tolist()

    begun = time.perf_counter()
    values = train()
    return {"rate": cells * steps / (time.perf_counter() - begun), "compile_seconds": 0.0, "values": values}


def mnist(samples: int, steps: int, dtype: str, by: str) -> dict:
    """A reference and 5 copies, one after the other in each step, as one writes it in PyTorch."""
    torch.set_default_dtype(getattr(torch, dtype))
    task = problems.perceptron(samples, 784, 64, 10)
    inputs, targets = torch.tensor(task.inputs, dtype=torch.get_default_dtype()), torch.from_numpy(task.targets)
    models = []
    for _ in range(6):
        layers = [torch.nn.Linear(784, 64), torch.nn.Linear(64, 10)]
        with torch.no_grad():
            for layer, kernel in zip(layers, task.weights[::2], strict=True):
                layer.weight.copy_(torch.from_numpy(kernel.T))
                layer.weight.add_(1e-6 * torch.randn_like(layer.weight))
                layer.bias.zero_()
        models.append(torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1]))
    optimizers = [torch.optim.SGD(model.parameters(), lr=problems.MNIST_RATE) for model in models]
    begun = time.perf_counter()
    for _ in range(steps):
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs), targets).backward()
            optimizer.step()
    return {"rate": steps / (time.perf_counter() - begun), "compile_seconds": 0.0, "values": []}


def matmul(dtype: str, size: int) -> dict:
    """Peak of a square matrix product of PyTorch, in FLOP/s."""
    a = torch.randn(size, size, dtype=getattr(torch, dtype))
    return {"flops": 2 * size**3 / min(_timed(lambda: a @ a)[0] for _ in range(5))}


if __name__ == "__main__":
    serve(matmul, single_cell, gd_spectrum, lorenz96, lenet, mnist, rosenstein)
