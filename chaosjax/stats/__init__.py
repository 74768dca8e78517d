"""Statistics of a sweep: Dataset in, Dataset out."""

from chaosjax.stats.agreement import agreement
from chaosjax.stats.bootstrap import bootstrap, mean_interval
from chaosjax.stats.exponential_window import exponential_window, summarise_exponents
from chaosjax.stats.exponents import exponents, local_exponents
from chaosjax.stats.fastest import fastest, speed_up
from chaosjax.stats.first_passage import first_passage, training_time
from chaosjax.stats.fraction import fraction
from chaosjax.stats.onset import onset

__all__ = [
    "agreement",
    "bootstrap",
    "exponential_window",
    "exponents",
    "fastest",
    "first_passage",
    "fraction",
    "local_exponents",
    "mean_interval",
    "onset",
    "speed_up",
    "summarise_exponents",
    "training_time",
]
