"""Finite-time exponents and exponential windows."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from labelled import SEEDS, cells, quick, random
from scipy.stats import linregress

from chaosjax import stats

T = np.arange(201)


# Finite-time exponents


@quick
@given(st.integers(1, 7), st.integers(0, 18), st.integers(1, 19), st.integers(0, 2**31))
def test_exponents_are_window_sums(stride, first, length, seed):
    first, last = first, min(first + length, 19)
    values = random(3, 20, 2, seed=seed)
    growth = cells(values, seed=range(3), time=stride * np.arange(20), exponent=range(2))
    expected = values[:, first + 1 : last + 1].sum(1) / (stride * (last - first))
    actual = stats.finite_time_exponents(growth, stride * first, stride * last)
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-14)
    assert actual.dims == ("seed", "exponent")
    assert actual.attrs["units"] == "nats/step"


def test_exponents_over_the_whole_run_and_its_parts():
    growth = cells(np.r_[0.0, np.full(40, 0.3 * 5)], time=5 * np.arange(41))
    assert stats.finite_time_exponents(growth).item() == pytest.approx(0.3, rel=1e-14)
    early, late = stats.finite_time_exponents(growth, stop=50), stats.finite_time_exponents(growth, start=50)
    assert (50 * early + 150 * late).item() == pytest.approx(0.3 * 200, rel=1e-14)


def test_exponents_over_a_window_per_cell():
    growth = cells(random(2, 3, 21, 2), learning_rate=[0.1, 1], seed=range(3), time=range(21), exponent=range(2))
    start = cells([[0, 1, 2], [3, 4, np.nan]], learning_rate=[0.1, 1], seed=range(3))
    actual = stats.finite_time_exponents(growth, start, start + 10)
    for i, j in np.ndindex(2, 2):
        alone = stats.finite_time_exponents(growth[i, j], start[i, j].item(), start[i, j].item() + 10)
        xr.testing.assert_identical(actual[i, j], alone)
    assert actual[1, 2].isnull().all()


def test_a_diverged_cell_has_no_exponent_but_keeps_the_one_it_had_before():
    growth = cells(np.ones((2, 11)), seed=[0, 1], time=range(11))
    growth[1, 7:] = np.nan
    np.testing.assert_array_equal(stats.finite_time_exponents(growth), [1, np.nan])
    np.testing.assert_array_equal(stats.finite_time_exponents(growth, 0, 6), [1, 1])


def test_a_window_with_a_record_that_is_not_known_has_no_exponent():
    growth = cells(np.ones((2, 11)), seed=[0, 1], time=range(11))
    known = cells(np.arange(22).reshape(2, 11) != 5, seed=[0, 1], time=range(11))
    np.testing.assert_array_equal(stats.finite_time_exponents(growth, known=known), [np.nan, 1])
    np.testing.assert_array_equal(stats.finite_time_exponents(growth, 5, 9, known=known), [1, 1])
    np.testing.assert_array_equal(stats.finite_time_exponents(growth, 4, 9, known=known), [np.nan, 1])


def test_local_exponents_average_to_the_whole():
    growth = cells(random(2, 21), seed=[0, 1], time=np.arange(21) * 4)
    growth[:, 0] = 0
    local = stats.local_exponents(growth)
    np.testing.assert_array_equal(local.time, growth.time[1:])
    np.testing.assert_allclose(local.mean("time"), stats.finite_time_exponents(growth), rtol=1e-12)


# The exponential window


def best_by_linregress(time, distance):
    """The studies' rule, window by window."""
    best = (np.nan,) * 4
    for start in range(0, 101, 5):
        for length in range(30, 101, 5):
            inside = (time >= start) & (time <= start + length)
            y = distance[inside]
            if start + length > time[-1] or inside.sum() < 5 or not (np.isfinite(y).all() and (y > 0).all()):
                continue
            line = linregress(time[inside], np.log(y))
            if not line.rvalue**2 <= best[1]:
                best = (line.slope, line.rvalue**2, time[inside][0], time[inside][-1])
    return best


@pytest.mark.parametrize("stride", [1, 2, 5, 7])
def test_exponential_window_is_the_best_linear_regression(stride):
    time = stride * np.arange(200 // stride + 1)
    distance = np.exp(np.cumsum(0.15 + 0.5 * random(6, len(time)), axis=1))
    distance[2, len(time) // 2] = np.nan
    distance[3, len(time) // 3] = 0
    distance[4, len(time) // 2 :] = np.inf
    distance[5] = np.minimum(distance[5], distance[5, len(time) // 3]) * (1 + 1e-4 * random(len(time)))
    fit = stats.exponential_window(cells(distance, seed=range(6), time=time))
    expected = np.array([best_by_linregress(time, d) for d in distance])
    np.testing.assert_allclose(fit.exponent, expected[:, 0], rtol=1e-9)
    np.testing.assert_allclose(fit.r2, expected[:, 1], rtol=1e-9)
    np.testing.assert_array_equal(fit.start, expected[:, 2])
    np.testing.assert_array_equal(fit.stop, expected[:, 3])


def test_every_window_is_a_linear_regression():
    distance = np.exp(0.3 * np.minimum(T, 90) + 1e-3 * random(201))
    for start in range(0, 101, 10):
        for length in range(30, 101, 14):
            fit = stats.exponential_window(cells(distance, time=T), starts=[start], lengths=[length])
            inside = slice(start, start + length + 1)
            line = linregress(T[inside], np.log(distance[inside]))
            # The variance of a saturated window is 1e-6, of ln d of size 27: six digits are lost to rounding.
            np.testing.assert_allclose([fit.exponent, fit.r2], [line.slope, line.rvalue**2], rtol=1e-7)


@pytest.mark.parametrize("rate", [0.06, 0.3, 0.7])
@pytest.mark.parametrize("radius", [1e-14, 1e-8])
def test_exponential_window_finds_the_planted_rate(rate, radius):
    grown = radius * np.exp(rate * np.clip(T - 30, 0, 50))  # floor to 30, saturation from 80
    fit = stats.exponential_window(cells(np.stack([grown, 3 * grown], 1), time=T, copy=[0, 1]))
    assert fit.exponent.item() == pytest.approx(rate, rel=1e-11)
    assert fit.start >= 30
    assert fit.stop <= 80
    assert fit.kept


def test_exponential_window_on_logistic_growth():
    radius, rate = 1e-8, 0.25
    grown = 1 / (1 + (1 / radius - 1) * np.exp(-rate * T))
    fit = stats.exponential_window(cells(grown, time=T))
    # The best window is the earliest; the slope there differs from the rate by at most the final d = 2e-5.
    assert fit.exponent.item() == pytest.approx(rate, rel=1e-4)
    assert fit.kept


@pytest.mark.parametrize(
    "distance",
    [
        1e-3 * np.exp(0.1 * random(201)),
        (1 + T) ** 2.0,
        np.sqrt(1 + T),
        2 + np.sin(2 * np.pi * T / 20),
        2 + np.sin(2 * np.pi * T / 400),
        np.exp(-0.2 * T),
    ],
    ids=["flat", "power law", "diffusion", "oscillation", "slow oscillation", "decay"],
)
def test_no_exponential_phase_is_not_kept(distance):
    fit = stats.exponential_window(cells(distance, time=T))
    assert not fit.kept
    assert np.isfinite(fit.exponent)


def test_a_noisy_power_law_is_told_from_exponential_growth():
    noise = np.exp(0.05 * random(40, 201))
    square = stats.exponential_window(cells((1.0 + T) ** 2 * noise, seed=range(40), time=T))
    growth = stats.exponential_window(cells(1e-8 * np.exp(0.1 * T) * noise, seed=range(40), time=T))
    assert (square.power_law_r2 > square.r2)[square.kept].all()
    assert (growth.power_law_r2 < growth.r2).all()


def test_constant_distance_has_no_exponential_phase():
    fit = stats.exponential_window(cells(np.full(201, 0.1), time=T))
    assert (fit.exponent.item(), fit.r2.item(), fit.kept.item()) == (0, 0, False)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -1.0])
def test_distances_that_have_no_logarithm_disqualify_their_windows(value):
    distance = np.exp(0.1 * T)
    distance[::20] = value
    fit = stats.exponential_window(cells(distance, time=T))
    assert np.isnan([fit[name].item() for name in ("exponent", "r2", "start", "stop")]).all()
    assert not fit.kept


@quick
@given(st.floats(1e-6, 1e6), st.integers(0, 2**31))
def test_exponential_window_ignores_the_scale_of_distance(scale, seed):
    distance = cells(np.exp(np.cumsum(0.1 + random(2, 201, seed=seed), 1)), seed=[0, 1], time=T)
    windows = {"starts": range(0, 101, 20), "lengths": [30, 60]}
    fit = stats.exponential_window(distance, **windows)
    xr.testing.assert_allclose(stats.exponential_window(scale * distance, **windows), fit, rtol=1e-8)


def test_tangent_growth_over_the_fitted_windows():
    rates = np.array([[0.1, 0.2], [0.3, 0.4]])
    axes = {"learning_rate": [0.1, 1.0], "seed": [0, 1], "time": T}
    distance = cells(1e-12 * np.exp(rates[..., None] * T), **axes)
    growth = cells(np.broadcast_to(rates[..., None], (2, 2, 201)), **axes)
    fit = stats.exponential_window(distance)
    np.testing.assert_allclose(stats.tangent_in_windows(growth, fit), rates, rtol=1e-12)
    two = xr.concat([growth, 2 * growth], "exponent").transpose(..., "exponent")
    np.testing.assert_allclose(stats.tangent_in_windows(two, fit), rates, rtol=1e-12)
    np.testing.assert_allclose(fit.exponent, rates, rtol=1e-12)


def test_summary_with_and_without_the_filter():
    rates = np.array([0.1, 0.2, 0.3, 0.01, 0.0])
    distance = cells(np.exp(rates[:, None] * T), seed=SEEDS, time=T)
    distance[4] = np.nan
    summary = stats.summarise_exponents(stats.exponential_window(distance))
    estimate = summary.sel(bound="estimate")
    assert estimate.filtered.item() == pytest.approx(0.2)
    assert estimate.unfiltered.item() == pytest.approx(0.61 / 4)
    assert (estimate.kept_fraction.item(), estimate.defined_fraction.item()) == (0.6, 0.8)
    for name in ("filtered", "unfiltered", "kept_fraction", "defined_fraction"):
        middle, low, high = stats.bounds(summary[name])
        assert low < middle < high
    alone, _, high = stats.bounds(stats.summarise_exponents(stats.exponential_window(distance[2:])).filtered)
    assert alone.item() == pytest.approx(0.3)
    assert np.isnan(high)
