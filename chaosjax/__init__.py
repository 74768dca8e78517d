"""Neural-network training as a dynamical system."""

from chaosjax import datasets, models, plotting, probes, series, stats, systems, tangent
from chaosjax.evolve import Carry, advance, observe, start
from chaosjax.precision import configure, enable_x64, use_cpu_devices
from chaosjax.probe import Probe
from chaosjax.problem import Problem, supervised
from chaosjax.sweep import sweep
from chaosjax.system import System, phase
from chaosjax.training import TrainingState, training
from chaosjax.transition import Transition

__all__ = [
    "Carry",
    "Probe",
    "Problem",
    "System",
    "TrainingState",
    "Transition",
    "advance",
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
    "use_cpu_devices",
]
