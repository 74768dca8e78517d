"""Plain JAX on the Iris net: `vmap` over all members in one batch, on one device, as one writes it at first."""

import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from worker import serve

task: dict = {}


def load(path: str) -> dict:
    """Read the weights and data that all sides share."""
    jax.config.update("jax_enable_x64", True)
    with np.load(path, allow_pickle=False) as arrays:
        task.update({name: jnp.asarray(arrays[name]) for name in arrays.files})
    return {}


def loss(params, inputs, targets):
    kernel_0, bias_0, kernel_1, bias_1 = params
    outputs = jax.nn.sigmoid(inputs @ kernel_0 + bias_0) @ kernel_1 + bias_1
    return -jnp.mean(jnp.sum(targets * jax.nn.log_softmax(outputs), axis=-1))


@partial(jax.jit, static_argnames="steps")
def train(params, inputs, targets, learning_rate, steps: int):
    def one(params):
        def step(params, _):
            gradient = jax.grad(loss)(params, inputs, targets)
            return jax.tree.map(lambda p, g: p - learning_rate * g, params, gradient), None

        params, _ = jax.lax.scan(step, params, length=steps)
        return loss(params, inputs, targets)

    return jax.vmap(one)(params)


def stacked(steps: int) -> dict:
    """All members, `steps` steps; the first call compiles and is not to be counted."""
    params = tuple(task[name] for name in ("kernel_0", "bias_0", "kernel_1", "bias_1"))
    begun = time.perf_counter()
    losses = jax.block_until_ready(train(params, task["inputs"], task["targets"], task["learning_rate"], steps))
    return {"rate": len(losses) * steps / (time.perf_counter() - begun), "losses": losses.tolist()}


if __name__ == "__main__":
    serve(load, vmap=stacked)
