"""Indicators of scalar time series."""

from chaosjax.series._estimate import REASONS, Estimate
from chaosjax.series.autocorrelation import autocorrelation, shuffled_band
from chaosjax.series.correlation_dimension import correlation_dimension, correlation_sum
from chaosjax.series.embedding import embed, mean_period
from chaosjax.series.kantz import kantz, kantz_curves
from chaosjax.series.laminar import laminar
from chaosjax.series.over import over
from chaosjax.series.period import period
from chaosjax.series.permutation_entropy import permutation_entropy
from chaosjax.series.recurrence import recurrence
from chaosjax.series.rosenstein import rosenstein, rosenstein_curves
from chaosjax.series.surrogates import iaaft, phase_randomised, shuffled, surrogate_test
from chaosjax.series.zero_one import zero_one

__all__ = [
    "REASONS",
    "Estimate",
    "autocorrelation",
    "correlation_dimension",
    "correlation_sum",
    "embed",
    "iaaft",
    "kantz",
    "kantz_curves",
    "laminar",
    "mean_period",
    "over",
    "period",
    "permutation_entropy",
    "phase_randomised",
    "recurrence",
    "rosenstein",
    "rosenstein_curves",
    "shuffled",
    "shuffled_band",
    "surrogate_test",
    "zero_one",
]
