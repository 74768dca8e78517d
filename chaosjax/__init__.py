"""Neural-network training as a dynamical system."""

from chaosjax import datasets, models, plotting, probes, series, stats, systems, tangent
from chaosjax._cell import Carry, advance, block, observe, start
from chaosjax._precision import configure, enable_x64
from chaosjax._probe import Cost, Probe
from chaosjax._problem import Problem, supervised
from chaosjax._sweep import sweep
from chaosjax._system import System, phase
from chaosjax._training import TrainingState, training
from chaosjax._transition import Members, Transition

__all__ = [
    "Carry",
    "Cost",
    "Members",
    "Probe",
    "Problem",
    "System",
    "TrainingState",
    "Transition",
    "advance",
    "block",
    "configure",
    "datasets",
    "enable_x64",
    "models",
    "observe",
    "phase",
    "plotting",
    "probes",
    "series",
    "start",
    "stats",
    "supervised",
    "sweep",
    "systems",
    "tangent",
    "training",
]
