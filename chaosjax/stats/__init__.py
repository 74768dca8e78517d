"""Statistics of a sweep: Dataset in, Dataset out."""

from chaosjax.stats.agreement import agreement
from chaosjax.stats.bootstrap import bootstrap, mean_interval
from chaosjax.stats.exponential_window import exponential_window, summarise_exponents
from chaosjax.stats.exponents import exponents, local_exponents
from chaosjax.stats.fastest import fastest, speed_up
from chaosjax.stats.finite_size import finite_size_exponents
from chaosjax.stats.first_passage import first_passage, training_time
from chaosjax.stats.fraction import fraction
from chaosjax.stats.linearity import compare, linear_window, trusted_radius
from chaosjax.stats.onset import crossing, onset
from chaosjax.stats.spectrum import converged, entropy_bound, kaplan_yorke, spectrum, window_exponents

__all__ = [
    "agreement",
    "bootstrap",
    "compare",
    "converged",
    "crossing",
    "entropy_bound",
    "exponential_window",
    "exponents",
    "fastest",
    "finite_size_exponents",
    "first_passage",
    "fraction",
    "kaplan_yorke",
    "linear_window",
    "local_exponents",
    "mean_interval",
    "onset",
    "spectrum",
    "speed_up",
    "summarise_exponents",
    "training_time",
    "trusted_radius",
    "window_exponents",
]
