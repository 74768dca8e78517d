"""What both sides of a benchmark compute: data and first weights, from NumPy alone, so that they are the same."""

from typing import NamedTuple

import numpy as np

LORENZ_DT, FORCING = 0.05, 8.0
SPECTRUM_RATE, IMAGE_RATE, MNIST_RATE = 0.05, 0.05, 0.1


class Task(NamedTuple):
    inputs: np.ndarray
    targets: np.ndarray
    weights: tuple[np.ndarray, ...]


def perceptron(samples: int, inputs: int, hidden: int, outputs: int) -> Task:
    """Inputs from N(0, 1), classes at random, weights from N(0, 1/fan-in), no biases at first."""
    rng = np.random.default_rng(0)
    shapes = ((inputs, hidden), (hidden, outputs))
    kernels = [rng.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes]
    weights = (kernels[0], np.zeros(hidden), kernels[1], np.zeros(outputs))
    return Task(rng.normal(size=(samples, inputs)), rng.integers(0, outputs, samples), weights)


def images(samples: int, cells: int) -> Task:
    """Images of 28 × 28 from N(0, 1) in 10 classes, and weights of a LeNet for each cell."""
    rng = np.random.default_rng(0)
    shapes = ((6, 1, 5, 5), (16, 6, 5, 5), (256, 84), (84, 10))
    fans = (25, 150, 256, 84)
    weights = [rng.normal(size=(cells, *shape)) / np.sqrt(fan) for shape, fan in zip(shapes, fans, strict=True)]
    return Task(rng.normal(size=(samples, 1, 28, 28)), rng.integers(0, 10, samples), tuple(weights))


def lorenz_starts(systems: int) -> np.ndarray:
    """First states of Lorenz-96 with 40 variables, near its fixed point."""
    return FORCING + 0.01 * np.random.default_rng(0).normal(size=(systems, 40))


def henon(length: int, series: int) -> np.ndarray:
    """x of the Hénon map, ``[series, length]``, behind a transient of 100 steps."""
    x, y = np.random.default_rng(0).uniform(-0.1, 0.1, size=(2, series))
    found = np.empty((length + 100, series))
    for i in range(length + 100):
        x, y = 1 - 1.4 * x**2 + y, 0.3 * x
        found[i] = x
    return found[100:].T.copy()
