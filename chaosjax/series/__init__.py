"""Indicators of scalar time series."""

from chaosjax.series._apply import apply
from chaosjax.series._autocorrelation import autocorrelation, shuffled_band
from chaosjax.series._correlation_dimension import correlation_dimension, correlation_sum
from chaosjax.series._embedding import embed, mean_period
from chaosjax.series._estimate import REASONS, Estimate
from chaosjax.series._kantz import kantz, kantz_curves
from chaosjax.series._laminar_phases import laminar_phases
from chaosjax.series._period import period
from chaosjax.series._permutation_entropy import permutation_entropy
from chaosjax.series._recurrence_quantification import recurrence_quantification
from chaosjax.series._rosenstein import rosenstein, rosenstein_curves
from chaosjax.series._surrogates import iaaft, phase_randomised, shuffled, surrogate_test
from chaosjax.series._zero_one_test import zero_one_test

__all__ = [
    "REASONS",
    "Estimate",
    "apply",
    "autocorrelation",
    "correlation_dimension",
    "correlation_sum",
    "embed",
    "iaaft",
    "kantz",
    "kantz_curves",
    "laminar_phases",
    "mean_period",
    "period",
    "permutation_entropy",
    "phase_randomised",
    "recurrence_quantification",
    "rosenstein",
    "rosenstein_curves",
    "shuffled",
    "shuffled_band",
    "surrogate_test",
    "zero_one_test",
]
