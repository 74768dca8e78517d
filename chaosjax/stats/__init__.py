"""Statistics of labelled records: exponents, onsets and training times, with intervals along a dimension `bound`."""

from chaosjax.stats._agreement import agreement
from chaosjax.stats._bootstrap import Resampling, Statistic, bootstrap, mean_interval
from chaosjax.stats._box_dimension import Refined, boundary, box_dimension, refined
from chaosjax.stats._exponential_window import exponential_window, mean_over_copies, summarise_exponents
from chaosjax.stats._fastest import fastest, speed_up
from chaosjax.stats._finite_size import finite_size_exponents
from chaosjax.stats._finite_time_exponents import (
    finite_time_exponents,
    first_exponent,
    local_exponents,
    tangent_in_windows,
)
from chaosjax.stats._first_passage import first_passage, training_time
from chaosjax.stats._fraction import fraction
from chaosjax.stats._interval import above, below, bounds, format_interval, interval
from chaosjax.stats._linearity import compare_exponents, linear_window, trusted_radius
from chaosjax.stats._lyapunov_spectrum import (
    converged,
    entropy_bound,
    kaplan_yorke,
    lyapunov_spectrum,
    window_exponents,
)
from chaosjax.stats._onset import crossing, onset
from chaosjax.stats._spectral_density import spectral_density, spectral_integral

__all__ = [
    "Refined",
    "Resampling",
    "Statistic",
    "above",
    "agreement",
    "below",
    "bootstrap",
    "boundary",
    "bounds",
    "box_dimension",
    "compare_exponents",
    "converged",
    "crossing",
    "entropy_bound",
    "exponential_window",
    "fastest",
    "finite_size_exponents",
    "finite_time_exponents",
    "first_exponent",
    "first_passage",
    "format_interval",
    "fraction",
    "interval",
    "kaplan_yorke",
    "linear_window",
    "local_exponents",
    "lyapunov_spectrum",
    "mean_interval",
    "mean_over_copies",
    "onset",
    "refined",
    "spectral_density",
    "spectral_integral",
    "speed_up",
    "summarise_exponents",
    "tangent_in_windows",
    "training_time",
    "trusted_radius",
    "window_exponents",
]
