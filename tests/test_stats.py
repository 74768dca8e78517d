import re
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, linregress
from scipy.stats import t as student

from chaosjax import stats

RATES = np.geomspace(0.05, 5, 24)
SEEDS = np.arange(5)
T = np.arange(201)
quick = settings(max_examples=25, deadline=None)


def cells(values, **coords):
    """A DataArray whose dimensions and coordinates are `coords`, in order."""
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# Finite-time exponents


@quick
@given(st.integers(1, 7), st.integers(0, 18), st.integers(1, 19), st.integers(0, 2**31))
def test_exponents_are_window_sums(stride, first, length, seed):
    first, last = first, min(first + length, 19)
    values = random(3, 20, 2, seed=seed)
    growth = cells(values, seed=range(3), time=stride * np.arange(20), exponent=range(2))
    expected = values[:, first + 1 : last + 1].sum(1) / (stride * (last - first))
    actual = stats.exponents(growth, stride * first, stride * last)
    np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-14)
    assert actual.dims == ("seed", "exponent")
    assert actual.attrs["units"] == "nats/step"


def test_exponents_over_the_whole_run_and_its_parts():
    growth = cells(np.r_[0.0, np.full(40, 0.3 * 5)], time=5 * np.arange(41))
    assert stats.exponents(growth).item() == pytest.approx(0.3, rel=1e-14)
    early, late = stats.exponents(growth, stop=50), stats.exponents(growth, start=50)
    assert (50 * early + 150 * late).item() == pytest.approx(0.3 * 200, rel=1e-14)


def test_exponents_over_a_window_per_cell():
    growth = cells(random(2, 3, 21, 2), learning_rate=[0.1, 1], seed=range(3), time=range(21), exponent=range(2))
    start = cells([[0, 1, 2], [3, 4, np.nan]], learning_rate=[0.1, 1], seed=range(3))
    actual = stats.exponents(growth, start, start + 10)
    for i, j in np.ndindex(2, 2):
        alone = stats.exponents(growth[i, j], start[i, j].item(), start[i, j].item() + 10)
        xr.testing.assert_identical(actual[i, j], alone)
    assert actual[1, 2].isnull().all()


def test_a_diverged_cell_has_no_exponent_but_keeps_the_one_it_had_before():
    growth = cells(np.ones((2, 11)), seed=[0, 1], time=range(11))
    growth[1, 7:] = np.nan
    np.testing.assert_array_equal(stats.exponents(growth), [1, np.nan])
    np.testing.assert_array_equal(stats.exponents(growth, 0, 6), [1, 1])


def test_local_exponents_average_to_the_whole():
    growth = cells(random(2, 21), seed=[0, 1], time=np.arange(21) * 4)
    growth[:, 0] = 0
    local = stats.local_exponents(growth)
    np.testing.assert_array_equal(local.time, growth.time[1:])
    np.testing.assert_allclose(local.mean("time"), stats.exponents(growth), rtol=1e-12)


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
    np.testing.assert_allclose(stats.exponents(growth, fit.start, fit.stop), rates, rtol=1e-12)
    np.testing.assert_allclose(fit.exponent, rates, rtol=1e-12)


def test_summary_with_and_without_the_filter():
    rates = np.array([0.1, 0.2, 0.3, 0.01, 0.0])
    distance = cells(np.exp(rates[:, None] * T), seed=SEEDS, time=T)
    distance[4] = np.nan
    summary = stats.summarise_exponents(stats.exponential_window(distance))
    assert summary.filtered.item() == pytest.approx(0.2)
    assert summary.unfiltered.item() == pytest.approx(0.61 / 4)
    assert (summary.kept_fraction.item(), summary.defined_fraction.item()) == (0.6, 0.8)
    for name in ("filtered", "unfiltered", "kept_fraction", "defined_fraction"):
        assert summary[f"{name}_low"] < summary[name] < summary[f"{name}_high"]
    alone = stats.summarise_exponents(stats.exponential_window(distance[2:]))
    assert alone.filtered.item() == pytest.approx(0.3)
    assert np.isnan(alone.filtered_high)


# Bootstrap


@pytest.mark.parametrize("n", [3, 5, 8, 20])
@pytest.mark.parametrize("shape", ["gaussian", "skewed"])
def test_coverage_of_the_mean(shape, n):
    replicates, resamples = 1500, 4000
    rng = np.random.default_rng(n)
    size = (replicates, n)
    draws = rng.standard_normal(size) if shape == "gaussian" else rng.gamma(4.0, size=size) - 4
    sample = cells(draws, replicate=range(replicates), seed=range(n))
    interval = stats.mean_interval(sample, resamples=resamples)
    coverage = ((interval.low <= 0) & (interval.high >= 0)).mean().item()
    # All replicates share the resamples, so both their number and the resamples' leave an error in the coverage.
    error = np.sqrt(0.95 * 0.05 / replicates + 2 * 0.975 * 0.025 / resamples)
    shortfall = {"gaussian": 0.005, "skewed": 0.02}[shape]  # as the docstring of bootstrap states
    assert 0.95 - shortfall - 3 * error < coverage < 0.95 + 3 * error


def test_interval_of_many_seeds_is_the_normal_one():
    sample = cells(random(400), seed=range(400))
    interval = stats.mean_interval(sample, resamples=20_000, confidence=0.9)
    half = student.ppf(0.95, 399) * sample.std("seed", ddof=1) / 20
    # A 5 % quantile of 20,000 standard normal draws, about 1.64, has the error sqrt(.05 .95 / 20000) / .103 = .015:
    # 3 sigma are 3 % of it.
    np.testing.assert_allclose(interval.high - interval.estimate, half, rtol=0.03)
    np.testing.assert_allclose(interval.estimate - interval.low, half, rtol=0.03)


@quick
@given(st.floats(-100, 100), st.floats(0.01, 100), st.integers(0, 2**31))
def test_interval_moves_with_shift_and_scale(shift, scale, seed):
    sample = cells(random(5, seed=seed), seed=SEEDS)
    plain = stats.mean_interval(sample, resamples=200)
    moved = stats.mean_interval(shift + scale * sample, resamples=200)
    xr.testing.assert_allclose(moved, shift + scale * plain, atol=1e-9)


def test_whole_seeds_are_resampled_jointly():
    effect = cells(random(5), seed=SEEDS)
    sample = effect + cells(np.zeros(24), learning_rate=RATES)
    interval = stats.mean_interval(sample)
    for rate in (0, 7, 23):
        xr.testing.assert_equal(interval.isel(learning_rate=rate, drop=True), stats.mean_interval(effect))
    contrast = stats.bootstrap(lambda d: (d - d.isel(learning_rate=0)).mean("seed"), sample)
    assert (contrast.low == 0).all()
    assert (contrast.high == 0).all()


def test_bootstrap_of_several_variables():
    data = xr.Dataset({"left": cells(random(5), seed=SEEDS), "right": cells(random(5, seed=1), seed=SEEDS)})
    difference = stats.bootstrap(lambda d: (d.left - d.right).mean("seed"), data)
    xr.testing.assert_allclose(difference, stats.mean_interval(data.left - data.right), rtol=1e-12)


def test_bootstrap_in_blocks_is_the_bootstrap(monkeypatch):
    sample = cells(random(5, 24), seed=SEEDS, learning_rate=RATES)
    whole = stats.mean_interval(sample)
    monkeypatch.setattr(sys.modules["chaosjax.stats.bootstrap"], "BLOCK", 7 * 120)
    xr.testing.assert_identical(stats.mean_interval(sample), whole)


def test_one_seed_has_an_estimate_and_no_interval():
    interval = stats.mean_interval(cells(random(1, 24), seed=[3], learning_rate=RATES))
    assert interval.estimate.notnull().all()
    assert interval.low.isnull().all()
    assert interval.high.isnull().all()
    assert interval.attrs["interval"] == "none: a single seed"


def test_nan_seeds_void_the_mean_or_are_left_out():
    sample = cells(random(6), seed=range(6))
    sample[2] = np.nan
    assert stats.mean_interval(sample).to_array().isnull().all()
    skipped = stats.mean_interval(sample, skipna=True)
    assert skipped.estimate.item() == pytest.approx(np.nanmean(sample))
    assert skipped.low < skipped.estimate < skipped.high


@pytest.mark.parametrize("reached", range(6))
def test_fraction_is_the_exact_binomial_interval(reached):
    result = stats.fraction(cells(SEEDS, seed=SEEDS) < reached)
    exact = binomtest(reached, 5).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose([result.low, result.high], [exact.low, exact.high], rtol=1e-9)
    assert result.estimate == reached / 5


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
    np.testing.assert_allclose(summary.training_time, [30, 52, 100])
    np.testing.assert_allclose(summary.reached_time, [30, 20, np.nan])
    np.testing.assert_allclose(summary.reached_fraction, [1, 0.6, 0])
    np.testing.assert_array_equal(summary.censored, [False, True, True])
    assert (summary.training_time_high <= 100).all()
    assert (summary.training_time_low >= 0).all()
    assert summary.attrs["horizon"] == 100
    np.testing.assert_array_equal(summary.reached_fraction_high[0], 1)
    assert summary.reached_fraction_low[0] < 0.5


def learning_curves(times, rates, horizon=100):
    """Accuracies that step from 0.1 to 0.95 at the given times, one row per learning rate."""
    time = np.arange(horizon + 1)
    accuracy = np.where(time >= np.asarray(times)[..., None], 0.95, 0.1)
    return cells(accuracy, learning_rate=rates, seed=range(accuracy.shape[1]), time=time)


# Onset, fastest learning rate and speed-up


def planted(effect, rates=RATES):
    """Exponents that cross 0 at 0.3 times exp(-effect) in each seed."""
    return cells(np.log(rates / 0.3)[:, None] + effect, learning_rate=rates, seed=range(len(effect)))


def test_onset_of_a_planted_crossing():
    effect = 0.1 * random(5)
    result = stats.onset(planted(effect))
    assert result.onset.item() == pytest.approx(0.3 * np.exp(-effect.mean()), rel=1e-12)
    assert result.onset_low < 0.3 < result.onset_high
    mean = stats.mean_interval(cells(-effect, seed=SEEDS))
    # The crossing is linear in the seeds' effects, so its interval is that of their mean; the two differ by the
    # order statistic taken at the other end of 2,000 resamples.
    np.testing.assert_allclose(np.log(result.onset_high / 0.3), mean.high, atol=5e-3)
    assert (result.found.item(), result.censored.item()) == (True, False)


def test_coverage_of_the_onset():
    replicates, seeds = 500, 5
    rng = np.random.default_rng(0)
    effect = 0.3 * rng.standard_normal((replicates, seeds))
    exponent = planted(np.zeros(seeds), np.geomspace(0.05, 2, 10)) + cells(
        effect, replicate=range(replicates), seed=range(seeds)
    )
    result = stats.onset(exponent)
    coverage = ((result.onset_low <= 0.3) & (result.onset_high >= 0.3)).mean().item()
    error = np.sqrt(0.95 * 0.05 / replicates + 2 * 0.975 * 0.025 / 2000)
    assert abs(coverage - 0.95) < 0.005 + 3 * error


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3), st.integers(0, 2**31))
def test_onset_scales_with_the_axis(scale, seed):
    exponent = planted(0.2 * random(5, seed=seed))
    moved = exponent.assign_coords(learning_rate=scale * RATES)
    plain, scaled = (stats.onset(x, resamples=200) for x in (exponent, moved))
    for name in ("onset", "onset_low", "onset_high"):
        np.testing.assert_allclose(scaled[name], scale * plain[name], rtol=1e-9)


def test_onset_at_another_level_and_in_any_order():
    exponent = planted(np.zeros(5))
    assert stats.onset(exponent, level=np.log(2)).onset.item() == pytest.approx(0.6, rel=1e-12)
    shuffled = exponent.isel(learning_rate=np.random.default_rng(0).permutation(24))
    xr.testing.assert_identical(stats.onset(shuffled), stats.onset(exponent))


def test_onset_is_the_last_crossing_before_the_interval_leaves_zero():
    mean = np.array([-1, 0.1, -1, 1, -1, 1.0])
    noise = np.array([-3, 3, -3, 3, 0.0])
    exponent = cells(mean[:, None] + 0.1 * noise, learning_rate=2.0 ** np.arange(6), seed=SEEDS)
    assert stats.onset(exponent).onset.item() == pytest.approx(2**2.5)


def test_onset_passes_over_diverged_learning_rates():
    exponent = planted(0.1 * random(5))
    diverged = exponent.copy()
    diverged[-3:, 1] = np.nan
    diverged[-1] = np.nan
    xr.testing.assert_identical(stats.onset(diverged).onset, stats.onset(exponent).onset)
    gap = exponent.copy()
    gap[8, 2] = np.nan  # linear in log learning rate, so a gap changes nothing
    np.testing.assert_allclose(stats.onset(gap).onset, stats.onset(exponent).onset, rtol=1e-12)


def test_onset_below_the_grid_is_censored():
    result = stats.onset(planted(0.1 * random(5)).sel(learning_rate=slice(1, None)))
    assert result.censored
    assert result.onset == RATES[RATES > 1][0]


def test_onset_that_is_never_reached_says_so():
    result = stats.onset(planted(0.1 * random(5)) - 10)
    assert np.isnan(result.onset)
    assert not result.found
    assert "never leaves 0" in result.attrs["reason"]
    single = stats.onset(planted(np.zeros(1)))
    assert np.isnan(single.onset)
    assert "single seed" in single.attrs["reason"]


def test_onset_along_further_axes():
    shift = cells([0.0, 1.0, -10.0], momentum=[0, 0.5, 0.9])
    result = stats.onset(planted(0.1 * random(5)) + shift)
    np.testing.assert_allclose(result.onset[1], result.onset[0] / np.e, rtol=1e-12)
    np.testing.assert_array_equal(result.found, [True, True, False])


def test_fastest_learning_rate():
    times = np.array([[60, 70, 80, 70, 70], [20, 30, 25, 35, 40], [10, 10, 101, 101, 10]])
    result = stats.fastest(learning_curves(times, rates=[0.1, 1, 10]))
    assert result.fastest == 1  # three of five are faster at 10, but two of them fail
    assert result.training_time == 30
    assert (result.reached_fraction, result.censored) == (1, False)
    assert result.fastest_low == 1
    assert 1 <= result.fastest_high <= 10
    assert result.training_time_low < 30 < result.training_time_high
    tie = stats.fastest(learning_curves([[50, 50], [20, 20], [20, 20]], rates=[0.1, 1, 10]))
    assert (tie.fastest, tie.fastest_low, tie.fastest_high) == (1, 1, 1)


def test_fastest_where_some_or_all_fail():
    some = stats.fastest(learning_curves([[101, 101], [50, 101]], rates=[0.1, 1]))
    assert (some.fastest, some.training_time, some.reached_fraction, some.censored) == (1, 75, 0.5, True)
    none = stats.fastest(learning_curves([[101, 101], [101, 101]], rates=[0.1, 1]))
    assert np.isnan(none.fastest)
    assert "no seed reached" in none.attrs["reason"]


def test_fastest_at_several_thresholds():
    accuracy = learning_curves([[60, 70], [20, 30]], rates=[0.1, 1])
    result = stats.fastest(accuracy, cells([0.05, 0.9, 0.99], threshold=[0.05, 0.9, 0.99]))
    np.testing.assert_array_equal(result.fastest, [0.1, 1, np.nan])


def test_speed_up_over_the_best_non_chaotic_learning_rate():
    times = np.array([[80, 80, 80], [40, 40, 40], [10, 10, 10], [30, 30, 30]])
    accuracy = learning_curves(times, rates=[0.1, 1, 10, 100])
    result = stats.speed_up(accuracy, 5.0)
    np.testing.assert_allclose([result.speed_up, result.speed_up_low, result.speed_up_high], 4)
    assert (result.non_chaotic, result.chaotic) == (1, 10)
    assert (result.non_chaotic_time, result.chaotic_time) == (40, 10)
    assert (result.non_chaotic_reached, result.chaotic_reached) == (1, 1)
    assert stats.speed_up(accuracy, 50.0).speed_up.item() == pytest.approx(1 / 3)
    assert stats.speed_up(accuracy, 1.0).non_chaotic == 0.1  # the onset itself counts as chaotic


def test_speed_up_resamples_both_sides_together():
    slow = np.array([40, 50, 60, 70, 80])
    result = stats.speed_up(learning_curves([slow, slow // 2], rates=[0.1, 1]), 0.5)
    assert result.speed_up.item() == pytest.approx(2)
    np.testing.assert_allclose([result.speed_up_low, result.speed_up_high], 2, rtol=1e-12)


@pytest.mark.parametrize("onset", [0.01, 100.0, np.nan])
def test_speed_up_needs_both_sides(onset):
    result = stats.speed_up(learning_curves([[80, 70], [40, 30]], rates=[0.1, 1]), onset)
    assert np.isnan(result.speed_up)
    assert f"onset={onset}" in result.attrs["reason"]


# Agreement


def test_agreement_by_hand():
    tangent = cells([[1.0, 2.0, 4.0], [1.0, 2.0, 0.0]], learning_rate=[0.1, 1], seed=range(3))
    ensemble = tangent + cells([[0.1, 0.1, 0.4], [0.0, np.nan, 0.3]], learning_rate=[0.1, 1], seed=range(3))
    total = stats.agreement(ensemble, tangent, pool=("learning_rate",))
    assert total.difference.item() == pytest.approx(0.18)
    assert total.rms.item() == pytest.approx(np.sqrt(0.27 / 5))
    assert total.relative.item() == pytest.approx((0.05 + 0.1) / 2)
    assert total.compared == 5
    assert total.difference_low < 0.18 < total.difference_high
    each = stats.agreement(ensemble, tangent)
    np.testing.assert_allclose(each.difference, [0.2, 0.15])
    np.testing.assert_array_equal(each.compared, [3, 2])


def test_agreement_of_equals():
    tangent = cells(1 + random(3, 5) ** 2, learning_rate=RATES[:3], seed=SEEDS)
    result = stats.agreement(tangent, tangent)
    for name in ("difference", "difference_low", "difference_high", "rms", "relative"):
        assert (result[name] == 0).all()


# Bad input

GROWTH = cells(np.zeros((5, 11)), seed=SEEDS, time=range(0, 110, 10))
CURVES = learning_curves([[10, 20]], rates=[0.1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.exponents(GROWTH.rename(time="step")), "growth has no dimension 'time'"),
        (lambda: stats.exponents(GROWTH, 5), "start=5 is not a recorded time; records run from 0 to 100"),
        (lambda: stats.exponents(GROWTH, 0, 110), "stop=110 is not a recorded time"),
        (lambda: stats.exponents(GROWTH, 50, 50), "empty window: start=50 is not before stop=50"),
        (lambda: stats.exponents(GROWTH, GROWTH[:3, 0] * 0), "exact"),
        (lambda: stats.local_exponents(GROWTH[:, :1]), "growth has a single record"),
        (
            lambda: stats.exponential_window(GROWTH[:, :4]),
            "no window of at least 5 records fits in 4 records",
        ),
        (lambda: stats.exponential_window(GROWTH.isel(time=0)), "distance has no dimension 'time'"),
        (lambda: stats.first_passage(GROWTH.isel(time=0), 0.9), "series has no dimension 'time'"),
        (lambda: stats.training_time(CURVES[:, :0], 0.9), "accuracy is empty along 'seed'"),
        (lambda: stats.mean_interval(GROWTH, "run"), "cells has no dimension 'run'"),
        (
            lambda: stats.bootstrap(np.mean, GROWTH, confidence=95),
            "0 < confidence < 1 and resamples >= 1, got 95",
        ),
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
