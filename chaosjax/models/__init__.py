"""Networks, and the split of any network into pure functions."""

from chaosjax.models._cnn import CNN, cnn
from chaosjax.models._functional import Functional, functional
from chaosjax.models._mlp import MLP, mlp
from chaosjax.models._transformer import Transformer, transformer

__all__ = ["CNN", "MLP", "Functional", "Transformer", "cnn", "functional", "mlp", "transformer"]
