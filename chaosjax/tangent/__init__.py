"""Directions and volumes in the tangent space, as pure functions of a system and an orbit."""

from chaosjax.tangent.covariant import Covariant, covariant
from chaosjax.tangent.expansion_entropy import ExpansionEntropy, expansion_entropy
from chaosjax.tangent.singular import SingularTriplets, max_growth

__all__ = [
    "Covariant",
    "ExpansionEntropy",
    "SingularTriplets",
    "covariant",
    "expansion_entropy",
    "max_growth",
]
