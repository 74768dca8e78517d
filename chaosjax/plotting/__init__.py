"""Figures of summarised sweeps, as matplotlib Figures, and the band that draws an interval."""

from chaosjax.plotting._band import band
from chaosjax.plotting._edge_of_chaos import edge_of_chaos, goal, shade_chaos
from chaosjax.plotting._learning_rate import learning_rate
from chaosjax.plotting._perturbation_growth import perturbation_growth

__all__ = ["band", "edge_of_chaos", "goal", "learning_rate", "perturbation_growth", "shade_chaos"]
