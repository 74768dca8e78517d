"""Training times, onset, fastest learning rate, speed-up, agreement, and the messages of all statistics."""

import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from labelled import RATES, SEEDS, cells, learning_curves, planted, quick, random

from chaosjax import stats

# First passage and training time


def test_first_passage_by_hand():
    accuracy = cells(
        [[0.1, 0.9, 0.2, 0.95], [0.1, 0.2, 0.3, 0.4], [0.9, 0.9, 0.9, 0.9], [0.5, *[np.nan] * 3]],
        seed=range(4),
        time=[0, 10, 20, 30],
    )
    passage = stats.first_passage(accuracy, 0.9)
    np.testing.assert_array_equal(passage.first_passage, [10, np.nan, 0, np.nan])
    np.testing.assert_array_equal(passage.reached, [True, False, True, False])
    np.testing.assert_array_equal(passage.restricted_time, [10, 30, 0, 30])
    several = stats.first_passage(accuracy, cells([0.2, 0.9], threshold=[0.2, 0.9]))
    xr.testing.assert_equal(several.sel(threshold=0.9, drop=True), passage)
    np.testing.assert_array_equal(several.first_passage.sel(threshold=0.2), [10, 10, 0, 0])


def test_first_passage_at_the_threshold_in_single_precision():
    accuracy = cells(np.array([0.5, 0.9], np.float32), time=[0, 1])
    assert stats.first_passage(accuracy, 0.9).first_passage == 1
    assert stats.first_passage(accuracy, cells([0.9], threshold=[0.9])).first_passage == 1


@quick
@given(st.integers(0, 2**31), st.floats(-2, 2), st.floats(0, 1))
def test_first_passage_is_monotone_in_the_threshold(seed, threshold, step):
    series = cells(random(5, 20, seed=seed), seed=SEEDS, time=3 * np.arange(20))
    low, high = (stats.first_passage(series, x).restricted_time for x in (threshold, threshold + step))
    assert (low <= high).all()


def test_training_time_counts_the_seeds_that_did_not_reach():
    accuracy = learning_curves([[10, 20, 30, 40, 50], [10, 20, 30, 101, 101], [101] * 5], rates=[0.1, 1, 10])
    summary = stats.training_time(accuracy, 0.9)
    estimate, low, high = (summary.sel(bound=bound) for bound in ("estimate", "low", "high"))
    np.testing.assert_allclose(estimate.training_time, [30, 52, 100])
    np.testing.assert_allclose(estimate.reached_time, [30, 20, np.nan])
    np.testing.assert_allclose(estimate.reached_fraction, [1, 0.6, 0])
    np.testing.assert_array_equal(summary.censored, [False, True, True])
    assert (high.training_time <= 100).all()
    assert (low.training_time >= 0).all()
    assert summary.attrs["horizon"] == 100
    np.testing.assert_array_equal(high.reached_fraction[0], 1)
    assert low.reached_fraction[0] < 0.5


# Onset, fastest learning rate and speed-up


def test_onset_of_a_planted_crossing():
    effect = 0.1 * random(5)
    result = stats.onset(planted(effect))
    estimate, low, high = stats.bounds(result.onset)
    assert estimate.item() == pytest.approx(0.3 * np.exp(-effect.mean()), rel=1e-12)
    assert low < 0.3 < high
    mean = stats.mean_interval(cells(-effect, seed=SEEDS))
    # The crossing is linear in the seeds' effects, so its interval is that of their mean; the two differ by the
    # order statistic taken at the other end of 2,000 resamples.
    np.testing.assert_allclose(np.log(high / 0.3), mean.sel(bound="high"), atol=5e-3)
    assert (result.found.item(), result.censored.item()) == (True, False)


def test_crossing_of_a_mean_is_interpolated_in_the_logarithm():
    mean = cells([-0.1, 0.1, 0.3], learning_rate=[1.0, 2.0, 4.0])
    assert stats.crossing(mean, xr.DataArray(0)).item() == pytest.approx(np.sqrt(2), rel=1e-14)
    assert stats.crossing(mean, xr.DataArray(0), level=0.2).item() == pytest.approx(2 * np.sqrt(2), rel=1e-14)
    assert stats.crossing(mean, xr.DataArray(0), level=0.5).item() == np.inf
    assert stats.crossing(mean + 1, xr.DataArray(0)).item() == 1  # above from the first value on


def test_coverage_of_the_onset():
    replicates, seeds = 500, 5
    rng = np.random.default_rng(0)
    effect = 0.3 * rng.standard_normal((replicates, seeds))
    exponent = planted(np.zeros(seeds), np.geomspace(0.05, 2, 10)) + cells(
        effect, replicate=range(replicates), seed=range(seeds)
    )
    _, low, high = stats.bounds(stats.onset(exponent).onset)
    coverage = ((low <= 0.3) & (high >= 0.3)).mean().item()
    error = np.sqrt(0.95 * 0.05 / replicates + 2 * 0.975 * 0.025 / 2000)
    assert abs(coverage - 0.95) < 0.005 + 3 * error


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 2**31))
def test_onset_scales_with_the_axis(scale, seed):
    exponent = planted(0.2 * random(5, seed=seed))
    moved = exponent.assign_coords(learning_rate=scale * RATES)
    plain, scaled = (stats.onset(x, resampling=stats.Resampling(resamples=200)).onset for x in (exponent, moved))
    np.testing.assert_allclose(scaled, scale * plain, rtol=1e-9)


def test_onset_at_another_level_and_in_any_order():
    exponent = planted(np.zeros(5))
    estimate, _, _ = stats.bounds(stats.onset(exponent, level=np.log(2)).onset)
    assert estimate.item() == pytest.approx(0.6, rel=1e-12)
    shuffled = exponent.isel(learning_rate=np.random.default_rng(0).permutation(24))
    xr.testing.assert_identical(stats.onset(shuffled), stats.onset(exponent))


def test_onset_is_the_last_crossing_before_the_interval_leaves_zero():
    mean = np.array([-1, 0.1, -1, 1, -1, 1.0])
    noise = np.array([-3, 3, -3, 3, 0.0])
    exponent = cells(mean[:, None] + 0.1 * noise, learning_rate=2.0 ** np.arange(6), seed=SEEDS)
    estimate, _, _ = stats.bounds(stats.onset(exponent).onset)
    assert estimate.item() == pytest.approx(2**2.5)


def test_onset_passes_over_diverged_learning_rates():
    exponent = planted(0.1 * random(5))
    diverged = exponent.copy()
    diverged[-3:, 1] = np.nan
    diverged[-1] = np.nan
    xr.testing.assert_identical(stats.onset(diverged).onset, stats.onset(exponent).onset)
    gap = exponent.copy()
    gap[8, 2] = np.nan  # linear in log learning rate, so a gap changes nothing
    estimates = [stats.onset(x).onset.sel(bound="estimate") for x in (gap, exponent)]
    np.testing.assert_allclose(*estimates, rtol=1e-12)


def test_onset_below_the_grid_is_censored():
    result = stats.onset(planted(0.1 * random(5)).sel(learning_rate=slice(1, None)))
    assert result.censored
    assert result.onset.sel(bound="estimate") == RATES[RATES > 1][0]


def test_onset_that_is_never_reached_says_so():
    result = stats.onset(planted(0.1 * random(5)) - 10)
    assert np.isnan(result.onset).all()
    assert not result.found
    assert "never leaves 0" in result.attrs["reason"]
    single = stats.onset(planted(np.zeros(1)))
    assert np.isnan(single.onset).all()
    assert "single seed" in single.attrs["reason"]


def test_onset_along_further_axes():
    shift = cells([0.0, 1.0, -10.0], momentum=[0, 0.5, 0.9])
    result = stats.onset(planted(0.1 * random(5)) + shift)
    estimate, _, _ = stats.bounds(result.onset)
    np.testing.assert_allclose(estimate[1], estimate[0] / np.e, rtol=1e-12)
    np.testing.assert_array_equal(result.found, [True, True, False])


def test_fastest_learning_rate():
    times = np.array([[60, 70, 80, 70, 70], [20, 30, 25, 35, 40], [10, 10, 101, 101, 10]])
    result = stats.fastest(learning_curves(times, rates=[0.1, 1, 10]))
    fastest, low, high = stats.bounds(result.fastest)
    assert fastest == 1  # three of five are faster at 10, but two of them fail
    assert low == 1
    assert 1 <= high <= 10
    time, low, high = stats.bounds(result.training_time)
    assert time == 30
    assert low < 30 < high
    assert (result.reached_fraction, result.censored) == (1, False)
    tie = stats.fastest(learning_curves([[50, 50], [20, 20], [20, 20]], rates=[0.1, 1, 10]))
    assert (tie.fastest == 1).all()


def test_fastest_where_some_or_all_fail():
    some = stats.fastest(learning_curves([[101, 101], [50, 101]], rates=[0.1, 1]))
    estimate = some.sel(bound="estimate")
    assert (estimate.fastest, estimate.training_time, some.reached_fraction, some.censored) == (1, 75, 0.5, True)
    none = stats.fastest(learning_curves([[101, 101], [101, 101]], rates=[0.1, 1]))
    assert np.isnan(none.fastest).all()
    assert "no seed reached" in none.attrs["reason"]


def test_fastest_at_several_thresholds():
    accuracy = learning_curves([[60, 70], [20, 30]], rates=[0.1, 1])
    result = stats.fastest(accuracy, cells([0.05, 0.9, 0.99], threshold=[0.05, 0.9, 0.99]))
    np.testing.assert_array_equal(result.fastest.sel(bound="estimate"), [0.1, 1, np.nan])


def test_speed_up_over_the_best_non_chaotic_learning_rate():
    times = np.array([[80, 80, 80], [40, 40, 40], [10, 10, 10], [30, 30, 30]])
    accuracy = learning_curves(times, rates=[0.1, 1, 10, 100])
    result = stats.speed_up(accuracy, 5.0)
    np.testing.assert_allclose(result.speed_up, 4)
    assert (result.non_chaotic, result.chaotic) == (1, 10)
    assert (result.non_chaotic_time, result.chaotic_time) == (40, 10)
    assert (result.non_chaotic_reached, result.chaotic_reached) == (1, 1)
    assert stats.speed_up(accuracy, 50.0).speed_up.sel(bound="estimate").item() == pytest.approx(1 / 3)
    assert stats.speed_up(accuracy, 1.0).non_chaotic == 0.1  # the onset itself counts as chaotic
    of_interval = stats.speed_up(accuracy, stats.interval(5.0, 0.01, 50.0))
    xr.testing.assert_identical(of_interval, result)  # its estimate counts


def test_speed_up_resamples_both_sides_together():
    slow = np.array([40, 50, 60, 70, 80])
    result = stats.speed_up(learning_curves([slow, slow // 2], rates=[0.1, 1]), 0.5)
    np.testing.assert_allclose(result.speed_up, 2, rtol=1e-12)


@pytest.mark.parametrize("onset", [0.01, 100.0, np.nan])
def test_speed_up_needs_both_sides(onset):
    result = stats.speed_up(learning_curves([[80, 70], [40, 30]], rates=[0.1, 1]), onset)
    assert np.isnan(result.speed_up).all()
    assert f"onset={onset}" in result.attrs["reason"]


# Agreement


def test_agreement_by_hand():
    tangent = cells([[1.0, 2.0, 4.0], [1.0, 2.0, 0.0]], learning_rate=[0.1, 1], seed=range(3))
    ensemble = tangent + cells([[0.1, 0.1, 0.4], [0.0, np.nan, 0.3]], learning_rate=[0.1, 1], seed=range(3))
    total = stats.agreement(ensemble, tangent, pool=("learning_rate",))
    difference, low, high = stats.bounds(total.difference)
    assert difference.item() == pytest.approx(0.18)
    assert low < 0.18 < high
    assert total.rms.item() == pytest.approx(np.sqrt(0.27 / 5))
    assert total.relative.item() == pytest.approx((0.05 + 0.1) / 2)
    assert total.compared == 5
    each = stats.agreement(ensemble, tangent)
    np.testing.assert_allclose(each.difference.sel(bound="estimate"), [0.2, 0.15])
    np.testing.assert_array_equal(each.compared, [3, 2])


def test_agreement_of_equals():
    tangent = cells(1 + random(3, 5) ** 2, learning_rate=RATES[:3], seed=SEEDS)
    result = stats.agreement(tangent, tangent)
    for name in ("difference", "rms", "relative"):
        assert (result[name] == 0).all()


# Bad input

GROWTH = cells(np.zeros((5, 11)), seed=SEEDS, time=range(0, 110, 10))
CURVES = learning_curves([[10, 20]], rates=[0.1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.finite_time_exponents(GROWTH.rename(time="step")), "growth has no dimension 'time'"),
        (lambda: stats.finite_time_exponents(GROWTH, 5), "start=5 is not a recorded time; records run from 0 to 100"),
        (lambda: stats.finite_time_exponents(GROWTH, 0, 110), "stop=110 is not a recorded time"),
        (lambda: stats.finite_time_exponents(GROWTH, 50, 50), "empty window: start=50 is not before stop=50"),
        (lambda: stats.finite_time_exponents(GROWTH, GROWTH[:3, 0] * 0), "exact"),
        (lambda: stats.local_exponents(GROWTH[:, :1]), "growth has a single record"),
        (
            lambda: stats.exponential_window(GROWTH[:, :4]),
            "no window of at least 5 records fits in 4 records",
        ),
        (lambda: stats.exponential_window(GROWTH.isel(time=0)), "distance has no dimension 'time'"),
        (lambda: stats.first_passage(GROWTH.isel(time=0), 0.9), "series has no dimension 'time'"),
        (lambda: stats.training_time(CURVES[:, :0], 0.9), "accuracy is empty along 'seed'"),
        (lambda: stats.mean_interval(GROWTH, "run"), "cells has no dimension 'run'"),
        (lambda: stats.Resampling(confidence=95), "confidence=95 must be between 0 and 1, e.g. 0.95"),
        (lambda: stats.Resampling(resamples=0), "resamples=0 must be an integer of at least 1"),
        (lambda: stats.Resampling(resamples=2e3), "resamples=2000.0 must be an integer of at least 1"),
        (lambda: stats.fraction(GROWTH[:0] > 0), "flag is empty along 'seed'"),
        (lambda: stats.onset(planted(np.zeros(2)), axis="momentum"), "exponent has no dimension 'momentum'"),
        (
            lambda: stats.onset(planted(np.zeros(2)) * np.ones(1), over="run"),
            "exponent has no dimension 'run'",
        ),
        (lambda: stats.onset(planted(np.zeros(2)).drop_vars("learning_rate")), "no coordinate values along"),
        (
            lambda: stats.fastest(CURVES.assign_coords(learning_rate=[0.0])),
            "learning_rate must be positive, got 0.0",
        ),
        (lambda: stats.speed_up(CURVES, 1.0, axis="momentum"), "accuracy has no dimension 'momentum'"),
        (lambda: stats.agreement(GROWTH, GROWTH, pool=("rate",)), "ensemble has no dimension 'rate'"),
        (lambda: stats.agreement(GROWTH, GROWTH[:3]), "exact"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
