"""Figures of summarised sweeps, as matplotlib Figures; the band of an interval; an explorer of any sweep."""

from chaosjax.plotting._band import band
from chaosjax.plotting._edge_of_chaos import edge_of_chaos, goal, shade_chaos
from chaosjax.plotting._explorer import Explorer, explore
from chaosjax.plotting._learning_rate import learning_rate
from chaosjax.plotting._perturbation_growth import perturbation_growth
from chaosjax.plotting._style import style

__all__ = [
    "Explorer",
    "band",
    "edge_of_chaos",
    "explore",
    "goal",
    "learning_rate",
    "perturbation_growth",
    "shade_chaos",
    "style",
]
