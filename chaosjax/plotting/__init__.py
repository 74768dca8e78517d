"""Figures of summarised sweeps. Each function takes a Dataset and returns a matplotlib Figure."""

from chaosjax.plotting.divergence import divergence
from chaosjax.plotting.edge_of_chaos import edge_of_chaos

__all__ = ["divergence", "edge_of_chaos"]
