"""Whether a cell is still finite."""

import jax.numpy as jnp

from chaosjax._probe import Probe, reading
from chaosjax._system import phase


def alive() -> Probe:
    """True while every parameter is finite; without ``System.params``, every coordinate. `sweep` adds it by itself.

    Optimizer state does not count: some starts with infinities (the line search of L-BFGS), without harm.
    A cell that diverges is data: its NaN stay inside it, its state is never frozen.
    """
    return reading(
        lambda transition: jnp.all(jnp.isfinite(phase(transition.params)[0])),
        long_name="all parameters finite",
        units="1",
    )
