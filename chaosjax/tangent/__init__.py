"""Directions and volumes in the tangent space, as pure functions of a system and an orbit."""

from chaosjax._linalg import orthonormalise
from chaosjax.tangent._alignment import Alignment, alignment
from chaosjax.tangent._covariant_vectors import Covariant, covariant_vectors
from chaosjax.tangent._expansion_entropy import ExpansionEntropy, expansion_entropy
from chaosjax.tangent._singular_vectors import SingularTriplets, singular_vectors

__all__ = [
    "Alignment",
    "Covariant",
    "ExpansionEntropy",
    "SingularTriplets",
    "alignment",
    "covariant_vectors",
    "expansion_entropy",
    "orthonormalise",
    "singular_vectors",
]
