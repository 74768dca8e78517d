"""Networks, and the split of any network into pure functions."""

from chaosjax.models.cnn import CNN, cnn
from chaosjax.models.functional import Functional, functional
from chaosjax.models.mlp import MLP, mlp

__all__ = ["CNN", "MLP", "Functional", "cnn", "functional", "mlp"]
