"""Whole questions in one call each, asked of the layers below: sweep, probes and statistics."""

from chaosjax._questions._edge_of_chaos import EdgeOfChaos, edge_of_chaos
from chaosjax._questions._find_learning_rate import find_learning_rate
from chaosjax._questions._found_learning_rate import FoundLearningRate
from chaosjax._questions._is_chaotic import ChaosOrNoise, is_chaotic
from chaosjax._questions._lyapunov_exponents import LyapunovExponents, lyapunov_exponents

__all__ = [
    "ChaosOrNoise",
    "EdgeOfChaos",
    "FoundLearningRate",
    "LyapunovExponents",
    "edge_of_chaos",
    "find_learning_rate",
    "is_chaotic",
    "lyapunov_exponents",
]
