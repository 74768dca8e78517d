"""Bounds for accelerators that are not at hand: counted operations and bytes against the makers' peaks."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

import chaosjax as cj


class Accelerator(NamedTuple):
    """Peaks of one device, as its maker states them: FLOP/s of matrix products by precision, bytes per second, bytes.

    `passes` of a TPU's bfloat16 products make one float32 product.
    """

    name: str
    flops: dict[str, float]
    bandwidth: float
    memory: float


ACCELERATORS = (
    Accelerator("H100 SXM", {"float64": 67e12, "float32": 67e12, "float32, TF32": 495e12}, 3.35e12, 80e9),
    Accelerator("TPU v5e", {"float32": 197e12 / 6, "float32, bfloat16 products": 197e12}, 0.819e12, 16e9),
    Accelerator("TPU v5p", {"float32": 459e12 / 6, "float32, bfloat16 products": 459e12}, 2.765e12, 95e9),
)
"""NVIDIA H100 data sheet (dense rates); Google Cloud TPU v5e and v5p pages. A TPU multiplies in bfloat16: six passes
make a product exact in float32."""


class Workload(NamedTuple):
    """A step of gradient descent of many cells: the data's shape is what counts, not its values."""

    name: str
    inputs: int
    hidden: int
    outputs: int
    samples: int
    cells: int

    def system(self, dtype: str) -> cj.System:
        """The training; its data are noise."""
        rng = np.random.default_rng(0)
        inputs = rng.normal(size=(self.samples + 1, self.inputs)).astype(dtype)
        labels = rng.integers(0, self.outputs, self.samples + 1)
        labels[: self.outputs] = np.arange(self.outputs)
        data = cj.datasets.Dataset(
            inputs[:-1], labels[:-1], inputs[-1:], labels[-1:], self.outputs, {"name": self.name}
        )
        model = cj.models.mlp([self.hidden], activation="tanh")
        return cj.training(cj.supervised(model, data, dtype=dtype), optax.sgd)


WORKLOADS = (
    Workload("Iris, 4–10–3, 120 samples", 4, 10, 3, 120, 1024),
    Workload("digits, 64–64–10, 1,437 samples", 64, 64, 10, 1437, 64),
    Workload("a tenth of MNIST, 784–64–10, 6,000 samples", 784, 64, 10, 6000, 8),
)


class Work(NamedTuple):
    """Of one step of one cell in a batch: operations as traced; bytes at least, and as a compiler leaves them."""

    flops: float
    least_bytes: float
    most_bytes: float


def counted(workload: Workload, dtype: str) -> Work:
    """Count a step: at least parameters and data are read, parameters written; as compiled, activations too."""
    with jax.enable_x64(dtype == "float64"):
        system = workload.system(dtype)
        keys = jax.random.split(jax.random.key(0), workload.cells)
        shapes = jax.eval_shape(jax.vmap(lambda key: system.init(key, {"learning_rate": 0.1})), keys)

        def step(x: Any) -> Any:
            return jax.vmap(lambda x: system.step(x, {"learning_rate": 0.1}, None))(x)

        lowered = jax.jit(step).lower(shapes)
        traced, compiled = _analysis(lowered.cost_analysis), _analysis(lowered.compile().cost_analysis)
    size = np.dtype(dtype).itemsize
    state = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    data = workload.samples * (workload.inputs + workload.outputs) * size
    return Work(*(value / workload.cells for value in (traced["flops"], 2 * state + data, compiled["bytes accessed"])))


def _analysis(ask: Callable[[], Any]) -> dict[str, float]:
    found = ask() or {}
    return found[0] if isinstance(found, list) else found


def roofline() -> list[dict[str, Any]]:
    """For each workload, precision and accelerator: the steps of one cell per second that no program can exceed."""
    rows = []
    for workload in WORKLOADS:
        for dtype in ("float64", "float32"):
            work = counted(workload, dtype)
            for device in ACCELERATORS:
                for precision, peak in device.flops.items():
                    if not precision.startswith(dtype):
                        continue
                    arithmetic = peak / work.flops
                    memory = device.bandwidth / work.least_bytes, device.bandwidth / work.most_bytes
                    rows.append(
                        {
                            "workload": workload.name,
                            "cells": workload.cells,
                            "precision": precision,
                            "device": device.name,
                            "mflop": work.flops / 1e6,
                            "least_mb": work.least_bytes / 1e6,
                            "most_mb": work.most_bytes / 1e6,
                            "arithmetic": arithmetic,
                            "fused": min(arithmetic, memory[0]),
                            "as_compiled": min(arithmetic, memory[1]),
                            "bound": "memory" if memory[1] < arithmetic else "arithmetic",
                        }
                    )
    return rows


if __name__ == "__main__":
    for row in roofline():
        print(row)
