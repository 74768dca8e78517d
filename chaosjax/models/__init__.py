"""Networks, and the split of any network into pure functions."""

from chaosjax.models._cnn import CNN, cnn
from chaosjax.models._functional import Functional, functional
from chaosjax.models._mlp import MLP, mlp

__all__ = ["CNN", "MLP", "Functional", "cnn", "functional", "mlp"]
