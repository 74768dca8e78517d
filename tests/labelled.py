"""Labelled arrays: for the tests of the statistics, and compared."""

import json

import numpy as np
import xarray as xr
from hypothesis import settings

RATES = np.geomspace(0.05, 5, 24)
SEEDS = np.arange(5)
quick = settings(max_examples=25, deadline=None)


def cells(values, **coords):
    """A DataArray whose dimensions and coordinates are `coords`, in order."""
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def assert_same_bits(one, other):
    """Two datasets of records have the same names, and the same values to the last bit."""
    assert set(one) == set(other)
    for name in one:
        a, b = one[name].values, other[name].values
        np.testing.assert_array_equal(a, b, err_msg=name, strict=True)
        assert a.tobytes() == b.tobytes(), f"{name}: the sign of a zero, or what a NaN says"


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


def chaotic_transients(eta, seeds, steps, radius, accuracy):
    """λ = 0.2 ln η for the first 40 steps of η > 1, then calm; training takes 60 |ln(η / 2)| + 10 steps."""
    time = np.arange(steps + 1)
    scatter = 1 + 0.02 * np.random.default_rng(0).standard_normal((1, seeds))
    rate = 0.2 * np.maximum(np.log(eta), 0)[:, None] * scatter
    growth = np.where((time > 0) & (time <= 40), rate[..., None], 1e-4)
    growth[..., 0] = 0
    needed = (60 * np.abs(np.log(eta / 2)) + 10)[:, None] * scatter
    dims = ("learning_rate", "seed", "time")
    distance = radius * np.exp(np.cumsum(growth, -1))[..., None] * np.ones(3)
    ds = xr.Dataset(
        {
            "growth": ((*dims, "exponent"), growth[..., None], {"k": 1, "every_steps": 1}),
            "distance": ((*dims, "copy"), distance, {"copies": 3}),
            "test_accuracy": (dims, np.where(time >= needed[..., None], accuracy, 0.5)),
            "alive": (dims, np.ones(growth.shape, bool)),
            "diverged_at": (dims[:2], np.full(growth.shape[:2], np.nan)),
        },
        {"learning_rate": eta, "seed": np.arange(seeds), "time": time},
    )
    system = {
        "dataset": {"name": "planted", "train_samples": 1000},
        "model": "chaosjax.models.mlp.MLP(widths=(3,))",
        "optimizer": "optax._src.alias.sgd",
        "batch_size": None,
    }
    return ds.assign_attrs(
        identity=json.dumps({"system": system, "probes": {"distance": {"radius": radius}}}),
        config=json.dumps({"title": "planted", "size": "toy"}),
        cost=json.dumps({"steps": 1, "tangents": 1, "products": 0, "losses": 0}),
        wall_seconds=1.0,
        compile_seconds=1.0,
        cell_steps_per_second=1.0,
        peak_bytes=1,
        devices="1 × test",
        finished="2026-01-01",
    )
