"""Whether a cell is still finite."""

import jax.numpy as jnp

from chaosjax.probe import Probe, reading
from chaosjax.system import phase


def alive() -> Probe:
    """True while every float leaf of the phase point is finite. `sweep` adds this probe by itself.

    A cell that diverges is data: its NaN stay inside it, its state is never frozen.
    """
    return reading(lambda transition: jnp.all(jnp.isfinite(phase(transition.x)[0])), long_name="all coordinates finite")
