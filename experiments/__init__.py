"""The experiments of the two studies, and what an experiment of one's own needs."""

from experiments._experiment import Experiment, Records
from experiments._findings import Finding, beyond, claim, number

__all__ = ["Experiment", "Finding", "Records", "beyond", "claim", "number"]
