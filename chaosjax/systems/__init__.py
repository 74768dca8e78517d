"""Reference systems with known exponents; `REFERENCES` lists them all with what is known.

A map of your own is ``System(init, step)`` as it stands; `flow` makes one from a vector field.
"""

from chaosjax.systems import _descent, _flows, _maps
from chaosjax.systems._descent import SCALAR_NET_REGIMES, perceptron, quadratic, quadratic_exponents, scalar_net
from chaosjax.systems._flows import RK4, flow, lorenz, lorenz_96, rossler
from chaosjax.systems._maps import (
    cat,
    doubling_lattice,
    doubling_lattice_exponents,
    henon,
    logistic,
    standard_map,
    tent,
)
from chaosjax.systems._reference import Reference

REFERENCES: dict[str, Reference] = {**_maps.REFERENCES, **_flows.REFERENCES, **_descent.REFERENCES}
"""What is known of each reference system, by its name: exponents, where they come from, how it is run."""

__all__ = [
    "REFERENCES",
    "RK4",
    "SCALAR_NET_REGIMES",
    "Reference",
    "cat",
    "doubling_lattice",
    "doubling_lattice_exponents",
    "flow",
    "henon",
    "logistic",
    "lorenz",
    "lorenz_96",
    "perceptron",
    "quadratic",
    "quadratic_exponents",
    "rossler",
    "scalar_net",
    "standard_map",
    "tent",
]
