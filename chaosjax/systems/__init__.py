"""Reference systems with known exponents; `REFERENCES` lists them all with what is known."""

from chaosjax.systems import descent, maps
from chaosjax.systems.descent import SCALAR_NET_REGIMES, perceptron, quadratic, quadratic_exponents, scalar_net
from chaosjax.systems.maps import (
    cat,
    doubling_lattice,
    doubling_lattice_exponents,
    henon,
    logistic,
    standard_map,
    tent,
)
from chaosjax.systems.reference import Reference

REFERENCES: dict[str, Reference] = {**maps.REFERENCES, **descent.REFERENCES}

__all__ = [
    "REFERENCES",
    "SCALAR_NET_REGIMES",
    "Reference",
    "cat",
    "doubling_lattice",
    "doubling_lattice_exponents",
    "henon",
    "logistic",
    "perceptron",
    "quadratic",
    "quadratic_exponents",
    "scalar_net",
    "standard_map",
    "tent",
]
