"""A network of one's own: where does a residual Flax net turn chaotic, and where does it learn fastest?"""

from pathlib import Path

import numpy as np
import xarray as xr
from flax import nnx

import chaosjax as cj


class Residual(nnx.Module):
    """Two residual blocks; `in_shape` and `out_features` are given where a constructor asks for them."""

    def __init__(self, in_shape, out_features, rngs):
        self.first = nnx.Linear(in_shape[0], 32, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(32, 32, rngs=rngs) for _ in range(2)])
        self.last = nnx.Linear(32, out_features, rngs=rngs)

    def __call__(self, inputs):
        hidden = self.first(inputs)
        for block in self.blocks:
            hidden = hidden + nnx.tanh(block(hidden))
        return self.last(hidden)


def main(out: str = "own_network.png", rates: int = 12, seeds: int = 3, steps: int = 80) -> xr.Dataset:
    """Draws λ and the training time over η, and returns both with their intervals."""
    problem = cj.supervised(Residual, cj.datasets.digits())
    found = cj.edge_of_chaos(problem, learning_rates=np.geomspace(0.03, 10, rates).tolist(), seeds=seeds, steps=steps)
    found.plot("Residual network of two blocks, digits").savefig(out, dpi=100)
    print(found)
    return found.summary


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    main(str(Path(__file__).with_suffix(".png")))
