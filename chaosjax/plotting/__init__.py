"""Figures of summarised sweeps. Each function takes a Dataset and returns a matplotlib Figure."""

from chaosjax.plotting._edge_of_chaos import edge_of_chaos
from chaosjax.plotting._perturbation_growth import perturbation_growth

__all__ = ["edge_of_chaos", "perturbation_growth"]
