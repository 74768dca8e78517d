"""Finite-size exponents of maps with a known slope, and of curves made for the purpose."""

import math

import numpy as np
import pytest
import xarray as xr
from labelled import cells

from chaosjax.stats import Resampling, bounds, finite_size_exponents

FEW = Resampling(resamples=50)


def distances(step, steps, seeds, copies=20, radius=1e-12):
    """Distances of perturbed orbits of a map of the interval from their reference."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.1, 0.9, (seeds, 1)) + radius * np.c_[np.zeros(seeds), rng.uniform(-1, 1, (seeds, copies))]
    orbits = [x]
    for _ in range(steps):
        orbits.append(step(orbits[-1]))
    orbits = np.stack(orbits, axis=1)
    d = np.abs(orbits[..., 1:] - orbits[..., :1])
    return cells(d, seed=range(seeds), time=range(steps + 1), copy=range(copies))


def growing(slope, first, steps=40, saturation=np.inf):
    """One copy per seed, from distance `first` on."""
    time = np.arange(steps + 1)
    d = np.minimum(np.asarray(first)[:, None] * abs(slope) ** time, saturation)
    return cells(d[..., None], seed=range(len(d)), time=time, copy=[0])


@pytest.mark.parametrize("slope", [1.3, 2.0, 3.7])
def test_a_linear_map_has_its_exponent_at_every_distance(slope):
    ds = finite_size_exponents(growing(slope, 1e-9 * np.geomspace(1, slope, 30)), resampling=FEW)
    crossed = ds.isel(threshold=ds.completed > 20)
    assert crossed.sizes["threshold"] > 20
    exponent, low, high = bounds(crossed.exponent)
    np.testing.assert_allclose(exponent, math.log(slope), rtol=1e-10)
    width = (high - low).dropna("threshold")
    assert width.size > 20
    np.testing.assert_allclose(width, 0, atol=1e-10)


def test_recording_less_often_leaves_a_linear_map_its_exponent():
    curves = growing(1.5, 1e-9 * np.geomspace(1, 1.5**5, 30)).isel(time=slice(None, None, 5))
    ds = finite_size_exponents(curves, resampling=FEW)
    exponent = ds.exponent.sel(bound="estimate")
    assert int((~exponent.isnull()).sum()) > 20
    np.testing.assert_allclose(exponent.dropna("threshold"), math.log(1.5), rtol=1e-10)


def test_the_tent_map_has_its_slope_until_the_fold_is_felt():
    d = distances(lambda x: 1.9 * np.minimum(x, 1 - x), 120, 50)
    ds = finite_size_exponents(d, resampling=Resampling(resamples=200)).sel(threshold=slice(1e-11, None))
    small = ds.sel(threshold=slice(None, 1e-6))
    np.testing.assert_allclose(small.exponent.sel(bound="estimate"), math.log(1.9), rtol=1e-4)
    assert float(ds.exponent.sel(bound="estimate")[-1]) < 0.3 * math.log(1.9)


def test_the_logistic_map_has_its_exponent_at_small_distances():
    ds = finite_size_exponents(distances(lambda x: 4 * x * (1 - x), 100, 200), resampling=Resampling(resamples=400))
    small = ds.sel(threshold=slice(1e-11, 1e-3))
    exponent, low, high = bounds(small.exponent)
    assert float(exponent.mean()) == pytest.approx(math.log(2), rel=0.02)
    inside = (low < math.log(2)) & (math.log(2) < high)
    assert float(inside.mean()) > 0.8  # neighbouring thresholds share their passages
    assert float(ds.exponent.sel(bound="estimate")[-1]) < 0.5 * math.log(2)


def test_it_falls_to_0_where_distances_saturate():
    for steps in (100, 1000):
        ds = finite_size_exponents(growing(2.0, 1e-9 * np.geomspace(1, 2, 20), steps, 1e-3), resampling=FEW)
        exponent = ds.exponent.sel(bound="estimate")
        assert float(exponent.sel(threshold=1e-6, method="nearest")) == pytest.approx(math.log(2), rel=1e-10)
        last = ds.isel(threshold=-1)
        assert int(last.crossed) == 20
        assert int(last.completed) == 0
        assert 0 <= float(exponent[-1]) < 1 / steps


def test_passages_are_those_of_a_plain_loop():
    rng = np.random.default_rng(0)
    walks = np.exp(np.cumsum(rng.normal(0.1, 0.4, (2, 3, 60, 4)), axis=2) - 8)
    walks[1, 0, 30:, 2] = np.nan
    walks[0, 1, 45:, 1] = 0
    d = cells(walks, learning_rate=[0.1, 1.0], seed=range(3), time=2 * np.arange(60), copy=range(4))
    ladder = [1e-3, 1e-2, 0.3, 1e4]
    ds = finite_size_exponents(d, 1.7, ladder, resampling=FEW)
    for i, j in np.ndindex(2, 4):
        growth, duration, crossed, completed = [], [], 0, 0
        for series in walks[i].swapaxes(1, 2).reshape(-1, 60):
            bad = ~np.isfinite(series) | (series == 0)
            series = series[: np.argmax(bad)] if bad.any() else series
            above = np.flatnonzero(series >= ladder[j])
            if not above.size or above[0] == 0:
                continue
            beyond = np.flatnonzero(series >= 1.7 * ladder[j])
            end = beyond[0] if beyond.size else len(series) - 1
            growth.append(np.log(series[end] / series[above[0]]))
            duration.append(2 * (end - above[0]))
            crossed, completed = crossed + 1, completed + bool(beyond.size)
        expected = sum(growth) / sum(duration) if sum(duration) else np.nan
        cell = ds.isel(learning_rate=i, threshold=j)
        np.testing.assert_allclose(cell.exponent.sel(bound="estimate"), expected, rtol=1e-12)
        assert (int(cell.crossed), int(cell.completed)) == (crossed, completed)
    assert ds.exponent.sel(threshold=1e4).isnull().all()


def test_thresholds_that_nothing_reaches_have_no_exponent():
    ds = finite_size_exponents(growing(2.0, [1e-9, 1.5e-9], 10), thresholds=[1e-10, 1e-8, 1.0], resampling=FEW)
    np.testing.assert_array_equal(ds.crossed, [0, 2, 0])
    np.testing.assert_array_equal(ds.exponent.sel(bound="estimate").isnull(), [True, False, True])
    assert ds.exponent.attrs["units"] == "nats/step"


def test_copies_can_be_what_is_resampled():
    d = growing(2.0, 1e-9 * np.geomspace(1, 2, 8)).isel(copy=0, drop=True).rename(seed="copy")
    ds = finite_size_exponents(d, over="copy", resampling=FEW)
    assert int(ds.crossed.max()) == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: finite_size_exponents(d.isel(seed=0)), "no dimension 'seed'"),
        (lambda d: finite_size_exponents(d.isel(time=slice(1))), "single record"),
        (lambda d: finite_size_exponents(d, factor=1.0), r"factor=1.0 must be a finite number above 1"),
        (lambda d: finite_size_exponents(np.log(d)), "must not be negative"),
        (lambda d: finite_size_exponents(xr.zeros_like(d)), "is 0 or not finite at the first record everywhere"),
        (lambda d: finite_size_exponents(d, thresholds=[1.0, 0.5]), "must be in ascending order"),
        (lambda d: finite_size_exponents(d, thresholds=[0.0]), "positive finite distances"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make(growing(2.0, [1e-9, 1.5e-9]))
