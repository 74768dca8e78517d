"""Instruments, one a file."""

from chaosjax.probe import every, reading
from chaosjax.probes.ablation import ablation
from chaosjax.probes.alive import alive
from chaosjax.probes.benettin import benettin
from chaosjax.probes.gali import gali
from chaosjax.probes.loss import loss
from chaosjax.probes.lyapunov import lyapunov
from chaosjax.probes.metric import metric
from chaosjax.probes.norms import norms
from chaosjax.probes.shadow import shadow
from chaosjax.probes.sharpness import sharpness
from chaosjax.probes.travel import travel
from chaosjax.probes.weights import weights

__all__ = [
    "ablation",
    "alive",
    "benettin",
    "every",
    "gali",
    "loss",
    "lyapunov",
    "metric",
    "norms",
    "reading",
    "shadow",
    "sharpness",
    "travel",
    "weights",
]
