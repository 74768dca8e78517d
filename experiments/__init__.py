"""The experiments of the two studies, and what an experiment of your own needs."""

from experiments._drawing import colours, initialisations, legend_above, panels, title_of
from experiments._experiment import Experiment, Records
from experiments._findings import Finding, beyond, claim, markdown, number

__all__ = [
    "Experiment",
    "Finding",
    "Records",
    "beyond",
    "claim",
    "colours",
    "initialisations",
    "legend_above",
    "markdown",
    "number",
    "panels",
    "title_of",
]
