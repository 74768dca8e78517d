"""Instruments, one a file."""

from chaosjax.probe import every, reading
from chaosjax.probes.alive import alive
from chaosjax.probes.benettin import benettin
from chaosjax.probes.gali import gali
from chaosjax.probes.loss import loss
from chaosjax.probes.lyapunov import lyapunov
from chaosjax.probes.metric import metric
from chaosjax.probes.norms import norms
from chaosjax.probes.shadow import shadow
from chaosjax.probes.sharpness import sharpness

__all__ = [
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
]
