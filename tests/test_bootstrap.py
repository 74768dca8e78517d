"""Intervals: their coverage, their invariances, and what they say of one seed."""

import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from labelled import RATES, SEEDS, cells, quick, random
from scipy.stats import binomtest
from scipy.stats import t as student

from chaosjax import stats


@pytest.mark.parametrize("n", [3, 5, 8, 20])
@pytest.mark.parametrize("shape", ["gaussian", "skewed"])
def test_coverage_of_the_mean(shape, n):
    replicates, resamples = 1500, 4000
    rng = np.random.default_rng(n)
    size = (replicates, n)
    draws = rng.standard_normal(size) if shape == "gaussian" else rng.gamma(4.0, size=size) - 4
    sample = cells(draws, replicate=range(replicates), seed=range(n))
    _, low, high = stats.bounds(stats.mean_interval(sample, resampling=stats.Resampling(resamples=resamples)))
    coverage = ((low <= 0) & (high >= 0)).mean().item()
    # All replicates share the resamples, so both their number and the resamples' leave an error in the coverage.
    error = np.sqrt(0.95 * 0.05 / replicates + 2 * 0.975 * 0.025 / resamples)
    shortfall = {"gaussian": 0.005, "skewed": 0.02}[shape]  # as the docstring of bootstrap states
    assert 0.95 - shortfall - 3 * error < coverage < 0.95 + 3 * error


def test_interval_of_many_seeds_is_the_normal_one():
    sample = cells(random(400), seed=range(400))
    resampling = stats.Resampling(resamples=20_000, confidence=0.9)
    estimate, low, high = stats.bounds(stats.mean_interval(sample, resampling=resampling))
    half = student.ppf(0.95, 399) * sample.std("seed", ddof=1) / 20
    # A 5 % quantile of 20,000 standard normal draws, about 1.64, has the error sqrt(.05 .95 / 20000) / .103 = .015:
    # 3 sigma are 3 % of it.
    np.testing.assert_allclose(high - estimate, half, rtol=0.03)
    np.testing.assert_allclose(estimate - low, half, rtol=0.03)


@quick
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 2**31))
def test_interval_moves_with_shift_and_scale(shift, scale, seed):
    sample = cells(random(5, seed=seed), seed=SEEDS)
    resampling = stats.Resampling(resamples=200)
    plain = stats.mean_interval(sample, resampling=resampling)
    moved = stats.mean_interval(shift + scale * sample, resampling=resampling)
    xr.testing.assert_allclose(moved, shift + scale * plain, atol=1e-9)


def test_whole_seeds_are_resampled_jointly():
    effect = cells(random(5), seed=SEEDS)
    sample = effect + cells(np.zeros(24), learning_rate=RATES)
    interval = stats.mean_interval(sample)
    for rate in (0, 7, 23):
        xr.testing.assert_equal(interval.isel(learning_rate=rate, drop=True), stats.mean_interval(effect))
    contrast = stats.bootstrap(lambda d: (d - d.isel(learning_rate=0)).mean("seed"), sample)
    assert (contrast.sel(bound=["low", "high"]) == 0).all()


def test_bootstrap_of_several_variables():
    data = xr.Dataset({"left": cells(random(5), seed=SEEDS), "right": cells(random(5, seed=1), seed=SEEDS)})
    difference = stats.bootstrap(lambda d: (d.left - d.right).mean("seed"), data)
    xr.testing.assert_allclose(difference, stats.mean_interval(data.left - data.right), rtol=1e-12)


def test_bootstrap_in_blocks_is_the_bootstrap(monkeypatch):
    sample = cells(random(5, 24), seed=SEEDS, learning_rate=RATES)
    whole = stats.mean_interval(sample)
    monkeypatch.setattr(sys.modules["chaosjax.stats._bootstrap"], "BLOCK", 7 * 120)
    xr.testing.assert_identical(stats.mean_interval(sample), whole)


def test_one_seed_has_an_estimate_and_no_interval():
    interval = stats.mean_interval(cells(random(1, 24), seed=[3], learning_rate=RATES))
    assert interval.sel(bound="estimate").notnull().all()
    assert interval.sel(bound=["low", "high"]).isnull().all()
    assert interval.attrs["interval"] == "none: a single seed"


def test_nan_seeds_void_the_mean_or_are_left_out():
    sample = cells(random(6), seed=range(6))
    sample[2] = np.nan
    assert stats.mean_interval(sample).isnull().all()
    estimate, low, high = stats.bounds(stats.mean_interval(sample, skipna=True))
    assert estimate.item() == pytest.approx(np.nanmean(sample))
    assert low < estimate < high


@pytest.mark.parametrize("reached", range(6))
def test_fraction_is_the_exact_binomial_interval(reached):
    estimate, low, high = stats.bounds(stats.fraction(cells(SEEDS, seed=SEEDS) < reached))
    exact = binomtest(reached, 5).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose([low, high], [exact.low, exact.high], rtol=1e-9)
    assert estimate == reached / 5


# The array of an interval


def test_an_interval_is_one_array_with_the_bound_first(tmp_path):
    estimate = cells(random(2, 3), momentum=[0, 1], learning_rate=[1.0, 2.0, 3.0])
    whole = stats.interval(estimate, estimate - 1, 5.0, units="steps")
    assert whole.dims == ("bound", "momentum", "learning_rate")
    assert whole.bound.values.tolist() == ["estimate", "low", "high"]
    assert whole.attrs == {"units": "steps"}
    for part, expected in zip(stats.bounds(whole), (estimate, estimate - 1, xr.full_like(estimate, 5.0)), strict=True):
        xr.testing.assert_equal(part, expected)
    xr.testing.assert_identical(stats.interval(*whole, units="steps"), whole)  # parts that still have their `bound`
    whole.to_dataset(name="whole").to_zarr(tmp_path / "a.zarr", consolidated=False)
    stored = xr.open_zarr(tmp_path / "a.zarr", consolidated=False)["whole"]
    np.testing.assert_array_equal(stored.sel(bound="low"), estimate - 1)
    with pytest.raises(ValueError, match="exact"):
        stats.interval(estimate, estimate[:, :2], 5.0)
    with pytest.raises(ValueError, match="an interval of intervals"):
        stats.mean_interval(whole, "momentum")


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ((1.111, 1.091, 1.189), "1.11 [1.09, 1.19] nats/step"),
        ((1.111, np.nan, np.nan), "1.11 nats/step (no interval)"),
        ((np.nan, 0, 1), "none found"),
    ],
)
def test_an_interval_in_words(ends, words):
    assert stats.format_interval(stats.interval(*ends), "nats/step") == words
    assert stats.format_interval(stats.interval(*ends)) == words.replace(" nats/step", "")


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (1, 2, True, False),
        (-2, -1, False, True),
        (-1, 1, None, None),
        (0, 1, None, False),
        (-1, 0, False, None),
        (np.nan, np.nan, None, None),
    ],
)
def test_a_level_is_left_by_the_whole_interval_or_undecided(low, high, above, below):
    interval = stats.interval((low + high) / 2, low, high)
    assert stats.above(interval, 0.0) is above
    assert stats.below(interval, 0.0) is below
