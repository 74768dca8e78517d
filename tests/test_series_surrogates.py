"""Surrogates, autocorrelation and permutation entropy against exact values, direct sums and their own coverage."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_series import KEY, asymmetry, autoregressive, logistic, white

from chaosjax.series._autocorrelation import autocorrelation, shuffled_band
from chaosjax.series._estimate import REASONS
from chaosjax.series._permutation_entropy import permutation_entropy
from chaosjax.series._surrogates import iaaft, phase_randomised, shuffled, surrogate_test

compiled_entropy = jax.jit(permutation_entropy, static_argnames=("order", "delay"))


def test_permutation_entropy_of_a_monotone_series_is_zero():
    rising = np.arange(500.0)
    for x, rises in ((rising, 1), (-rising, 0), (np.exp(rising / 100), 1)):
        result = compiled_entropy(jnp.asarray(x), 3)
        assert abs(result.value) < 1e-15
        np.testing.assert_allclose(result.probabilities, [rises, 0, 0, 0, 0, 1 - rises], atol=1e-15)


def test_permutation_entropy_of_bandt_and_pompes_example():
    """(4, 7, 9, 10, 6, 11, 3): the patterns of its periodic repetition, counted by hand."""
    x = jnp.asarray(np.tile([4.0, 7, 9, 10, 6, 11, 3], 5))
    p = np.asarray([24, 10]) / 34
    result = compiled_entropy(x, 2)
    np.testing.assert_allclose(result.probabilities, p, rtol=1e-14)
    np.testing.assert_allclose(result.value, -np.sum(p * np.log2(p)), rtol=1e-14)
    p = np.asarray([14, 0, 5, 10, 4, 0]) / 33  # 012, 021, 102, 120, 201, 210
    np.testing.assert_allclose(compiled_entropy(x, 3).probabilities, p, rtol=1e-14)


@pytest.mark.parametrize(
    ("order", "exact"),
    [(2, [2 / 3, 1 / 3]), (3, [1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5, 0])],
)
def test_permutation_entropy_of_the_logistic_map_is_exact(order, exact):
    """By the conjugacy with the tent map, whose invariant density is uniform; a double fall is forbidden."""
    p = np.asarray(exact)
    H = -np.sum(p[p > 0] * np.log(p[p > 0])) / np.log(p.size)
    n = 100_000
    result = compiled_entropy(logistic(n, 4.0), order)
    np.testing.assert_allclose(result.probabilities, p, atol=0.005)
    np.testing.assert_array_equal(result.probabilities == 0, p == 0)
    assert result.low <= H <= result.high
    assert abs(result.value - H) < 0.002


def test_permutation_entropy_of_noise_is_one_within_its_bias():
    n, patterns = 20_000, 24
    result = compiled_entropy(white(n))
    bias = (patterns - 1) / (2 * n * np.log(patterns))
    assert abs(1 - result.value - bias) < bias
    assert result.high == 1


def test_permutation_entropy_counts_ties_as_rising_and_sees_only_order():
    x = np.asarray(white(500, seed=1))
    gauged = compiled_entropy(jnp.asarray(np.exp(3 * x)), 3)
    np.testing.assert_array_equal(compiled_entropy(jnp.asarray(x), 3).probabilities, gauged.probabilities)
    stairs = jnp.asarray(np.arange(500) // 3.0)
    assert abs(compiled_entropy(stairs, 3).value) < 1e-15
    saw = jnp.asarray(np.arange(500.0) + 10 * (np.arange(500) % 2))  # zigzags, but rises every other sample
    np.testing.assert_allclose(compiled_entropy(saw, 3).probabilities, [0, 0.5, 0.5, 0, 0, 0], atol=1e-15)
    assert abs(compiled_entropy(saw, 3, delay=2).value) < 1e-15


def test_permutation_entropy_interval_covers_the_truth():
    p = np.asarray([1 / 3, 1 / 15, 2 / 15, 4 / 15, 1 / 5])
    truth = -np.sum(p * np.log(p)) / np.log(6)
    starts = jax.random.uniform(KEY, (400,), minval=0.1, maxval=0.9)
    result = jax.jit(jax.vmap(lambda x0: permutation_entropy(logistic(1000, 4.0, 100, x0), 3)))(starts)
    coverage = np.mean((result.low <= truth) & (truth <= result.high))
    assert 0.92 <= coverage <= 0.98  # 95 % with two standard errors of 400 draws


def test_autocorrelation_is_the_direct_sum():
    x = np.asarray(white(257)) + 3
    y = x - x.mean()
    direct = [np.sum(y[: y.size - k] * y[k:]) / np.sum(y * y) for k in range(257)]
    np.testing.assert_allclose(autocorrelation(jnp.asarray(x), 256).value, direct, atol=1e-13)


def test_autocorrelation_of_an_autoregression():
    """r_k of AR(1) against φ^k, in units of Bartlett's standard error, over 100 realisations."""
    n, phi, lags = 2000, 0.7, 20
    k = np.arange(1, lags + 1)
    bartlett = np.sqrt(((1 + phi**2) * (1 - phi ** (2 * k)) / (1 - phi**2) - 2 * k * phi ** (2 * k)) / n)
    keys = jax.random.split(KEY, 100)
    r = jax.jit(jax.vmap(lambda key: autocorrelation(autoregressive(key, n, phi), lags).value))(keys)
    scores = (np.asarray(r)[:, 1:] - phi**k) / bartlett
    assert 0.85 < scores.std() < 1.15
    assert np.abs(scores.mean(axis=0)).max() < 0.6  # the estimator's bias of order 1/n, and 1/√100


def test_shuffled_band_is_that_of_white_noise_and_covers_it():
    n, lags = 1000, 50
    low, high, _ = map(np.asarray, jax.jit(partial(shuffled_band, lags=lags))(white(n), KEY))
    correlate = jax.jit(jax.vmap(lambda x: autocorrelation(x, lags).value))
    np.testing.assert_allclose(high[1:] + 1 / n, 1.96 / np.sqrt(n), rtol=0.15)
    np.testing.assert_allclose(low[1:] + 1 / n, -1.96 / np.sqrt(n), rtol=0.15)
    np.testing.assert_allclose(np.mean(high[1:] - low[1:]) * np.sqrt(n), 2 * 1.96, rtol=0.03)
    np.testing.assert_allclose((low[0], high[0]), 1)
    fresh = np.asarray(correlate(jnp.asarray(np.random.default_rng(5).standard_normal((400, n)))))
    assert 0.94 < np.mean((fresh >= low) & (fresh <= high), axis=0)[1:].mean() < 0.96
    chaos = np.asarray(correlate(logistic(n, 3.6)[None]))  # two bands: it remembers its parity
    assert np.mean((chaos < low) | (chaos > high)) > 0.9


@pytest.mark.parametrize("n", [255, 256])
def test_shuffled_keeps_values_and_phase_randomised_the_spectrum(n):
    x = autoregressive(KEY, n, 0.8) + 2
    mixed, turned = jax.jit(shuffled)(x, KEY), jax.jit(phase_randomised)(x, KEY)
    np.testing.assert_array_equal(np.sort(mixed), np.sort(x))
    assert np.mean(mixed == x) < 0.05
    np.testing.assert_allclose(np.abs(np.fft.rfft(turned)), np.abs(np.fft.rfft(x)), rtol=1e-9)
    np.testing.assert_allclose((turned.mean(), turned.std()), (x.mean(), x.std()), rtol=1e-12)
    assert abs(np.corrcoef(turned, x)[0, 1]) < 0.5


def naive_iaaft(x, start):
    amplitudes, values, series = np.abs(np.fft.rfft(x)), np.sort(x), start
    for _ in range(100):
        adjusted = np.fft.irfft(amplitudes * np.exp(1j * np.angle(np.fft.rfft(series))), x.size)
        series = values[np.argsort(np.argsort(adjusted))]
    return series


@pytest.mark.parametrize(("n", "error"), [(256, 0.03), (1000, 0.01)])
def test_iaaft_keeps_values_exactly_and_the_spectrum_nearly(n, error):
    """The bounds are those in the docstring."""
    draw = jax.jit(iaaft)
    cases = {"bounded": (logistic(n, 4.0), error), "gaussian": (autoregressive(KEY, n, 0.8), error)}
    cases["skewed"] = (jnp.exp(cases["gaussian"][0]), 0.25)
    for x, bound in cases.values():
        for seed in range(3):
            key = jax.random.key(seed)
            surrogate = np.asarray(draw(x, key))
            np.testing.assert_array_equal(surrogate, naive_iaaft(np.asarray(x), np.asarray(jax.jit(shuffled)(x, key))))
            np.testing.assert_array_equal(np.sort(surrogate), np.sort(x))
            before, after = np.abs(np.fft.rfft(x))[1:], np.abs(np.fft.rfft(surrogate))[1:]
            assert np.linalg.norm(after - before) < bound * np.linalg.norm(before)
            assert abs(np.corrcoef(surrogate, x)[0, 1]) < 0.4


rank_test = jax.jit(partial(surrogate_test, lambda x: jnp.abs(asymmetry(x)), count=19, side="high"))


def test_surrogate_test_rejects_a_true_null_as_often_as_it_says():
    """Of 20 ranks one has p ≤ .05; three standard errors of 200 draws are .046."""
    keys = jax.random.split(KEY, 200)
    series = jax.jit(jax.vmap(lambda key: autoregressive(key, 100, 0.5)))(keys)
    p = np.asarray([rank_test(x, key).p_value for x, key in zip(np.asarray(series), keys, strict=True)])
    assert 0.004 <= np.mean(p <= 0.05) <= 0.096
    assert abs(p.mean() - 0.525) < 3 * 0.29 / np.sqrt(200)


def test_surrogate_test_rejects_chaos():
    chaos = rank_test(np.asarray(logistic(100, 4.0)), KEY)
    np.testing.assert_allclose(chaos.p_value, 1 / 20, rtol=1e-12)
    assert (chaos.surrogates < chaos.value).all()


def test_surrogate_test_of_a_statistic_the_surrogates_keep_says_nothing():
    test = jax.jit(partial(surrogate_test, count=19, surrogate=shuffled), static_argnames="statistic")
    assert test(jnp.max, white(100), key=KEY).p_value == 1
    undefined = test(lambda x: jnp.nan * x[0], white(100), key=KEY)
    assert np.isnan(undefined.p_value)
    assert REASONS[int(undefined.reason)] == "not finite"
