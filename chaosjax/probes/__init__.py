"""Instruments, one per file."""

from chaosjax._probe import delayed, every, reading
from chaosjax.probes._ablation import ablation
from chaosjax.probes._alignment import alignment
from chaosjax.probes._alive import alive
from chaosjax.probes._batch_sharpness import batch_sharpness
from chaosjax.probes._benettin import benettin
from chaosjax.probes._ensemble import ensemble
from chaosjax.probes._gali import gali
from chaosjax.probes._growth_split import growth_split
from chaosjax.probes._loss import loss
from chaosjax.probes._lyapunov import lyapunov
from chaosjax.probes._metric import metric
from chaosjax.probes._norms import norms
from chaosjax.probes._preconditioned_sharpness import preconditioned_sharpness
from chaosjax.probes._sharpness import sharpness
from chaosjax.probes._spectrum import curvature_trace, spectral_density
from chaosjax.probes._travel import travel
from chaosjax.probes._weights import weights

__all__ = [
    "ablation",
    "alignment",
    "alive",
    "batch_sharpness",
    "benettin",
    "curvature_trace",
    "delayed",
    "ensemble",
    "every",
    "gali",
    "growth_split",
    "loss",
    "lyapunov",
    "metric",
    "norms",
    "preconditioned_sharpness",
    "reading",
    "sharpness",
    "spectral_density",
    "travel",
    "weights",
]
