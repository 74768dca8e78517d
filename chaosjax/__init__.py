"""Neural-network training as a dynamical system."""

from chaosjax import curvature, datasets, models, plotting, probes, series, stats, systems, tangent
from chaosjax._cell import Carry, advance, block, observe, start
from chaosjax._members import Members
from chaosjax._precision import configure, enable_x64
from chaosjax._probe import Cost, Probe
from chaosjax._problem import Problem, supervised
from chaosjax._questions import (
    ChaosOrNoise,
    EdgeOfChaos,
    FoundLearningRate,
    LyapunovExponents,
    edge_of_chaos,
    find_learning_rate,
    is_chaotic,
    lyapunov_exponents,
)
from chaosjax._results import Verification, open_multirun, open_sweep, provenance_of, verify
from chaosjax._sweep import sweep
from chaosjax._system import System, phase
from chaosjax._thresholds import batch_sharpness_thresholds, sam_threshold, stability_threshold
from chaosjax._training import TrainingState, training
from chaosjax._transition import Transition

__all__ = [
    "Carry",
    "ChaosOrNoise",
    "Cost",
    "EdgeOfChaos",
    "FoundLearningRate",
    "LyapunovExponents",
    "Members",
    "Probe",
    "Problem",
    "System",
    "TrainingState",
    "Transition",
    "Verification",
    "advance",
    "batch_sharpness_thresholds",
    "block",
    "configure",
    "curvature",
    "datasets",
    "edge_of_chaos",
    "enable_x64",
    "find_learning_rate",
    "is_chaotic",
    "lyapunov_exponents",
    "models",
    "observe",
    "open_multirun",
    "open_sweep",
    "phase",
    "plotting",
    "probes",
    "provenance_of",
    "sam_threshold",
    "series",
    "stability_threshold",
    "start",
    "stats",
    "supervised",
    "sweep",
    "systems",
    "tangent",
    "training",
    "verify",
]
