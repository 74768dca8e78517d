"""One sweep of a chosen size, for growth.py: its time, and the memory that the process took."""

import resource

import jax
import numpy as np
import optax
from worker import serve

import chaosjax as cj


def run(cells: int, width: int, steps: int, devices: int) -> dict:
    """A perceptron 4–width–3 on Iris' 120 samples, `cells` of it, a loss at the start and at the end."""
    jax.config.update("jax_num_cpu_devices", devices)
    cj.configure()
    problem = cj.supervised(cj.models.mlp([width], activation="sigmoid"), cj.datasets.iris())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = cj.sweep(
        cj.training(problem, optax.sgd),
        {"loss": cj.probes.loss()},
        {"learning_rate": [0.05], "seed": np.arange(cells)},
        steps=steps,
        stride=steps,
        progress=False,
        devices=jax.devices()[:devices] if jax.default_backend() == "cpu" and devices > 1 else None,
    )
    attrs = cj.provenance_of(found)
    stats = jax.local_devices()[0].memory_stats() or {}
    return {
        "seconds": attrs["wall_seconds"],
        "compile_seconds": attrs["trace_seconds"] + attrs["compile_seconds"],
        "host_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before,
        "device_bytes": stats.get("peak_bytes_in_use"),
        "parameters": 8 * width + 3,
        "on": attrs["devices"],
    }


if __name__ == "__main__":
    serve(run)
