"""Labelled arrays for the tests of the statistics."""

import numpy as np
import xarray as xr
from hypothesis import settings

RATES = np.geomspace(0.05, 5, 24)
SEEDS = np.arange(5)
quick = settings(max_examples=25, deadline=None)


def cells(values, **coords):
    """A DataArray whose dimensions and coordinates are `coords`, in order."""
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def learning_curves(times, rates, horizon=100):
    """Accuracies that step from 0.1 to 0.95 at the given times, one row per learning rate."""
    time = np.arange(horizon + 1)
    accuracy = np.where(time >= np.asarray(times)[..., None], 0.95, 0.1)
    return cells(accuracy, learning_rate=rates, seed=range(accuracy.shape[1]), time=time)


def planted(effect, rates=RATES):
    """Exponents that cross 0 at 0.3 times exp(-effect) in each seed."""
    return cells(np.log(rates / 0.3)[:, None] + effect, learning_rate=rates, seed=range(len(effect)))
