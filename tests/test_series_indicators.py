"""Indicators of scalar series against exact values, direct sums and published behaviour."""

from functools import partial
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chaosjax.series._estimate import REASONS
from chaosjax.series.autocorrelation import autocorrelation, shuffled_band
from chaosjax.series.laminar import laminar
from chaosjax.series.period import period
from chaosjax.series.permutation_entropy import permutation_entropy
from chaosjax.series.recurrence import recurrence
from chaosjax.series.surrogates import iaaft, phase_randomised, shuffled, surrogate_test
from chaosjax.series.zero_one import zero_one

KEY = jax.random.key(0)
GOLDEN = (np.sqrt(5) - 1) / 2

compiled_zero_one = jax.jit(zero_one, static_argnames="frequencies")
compiled_entropy = jax.jit(permutation_entropy, static_argnames=("order", "delay"))
recurrence_settings = ("rate", "dimension", "delay", "theiler", "min_line")
compiled_recurrence = jax.jit(
    lambda x, radius=None, **settings: recurrence(x, radius=radius, **settings), static_argnames=recurrence_settings
)
compiled_period = jax.jit(period, static_argnames=("max_period", "tail", "tolerance"))


@partial(jax.jit, static_argnums=(0, 2))
def logistic(n, r, skip=1000, x0=0.3):
    def step(x, _):
        x = r * x * (1 - x)
        return x, x

    return jax.lax.scan(step, jnp.asarray(x0, float), None, length=n + skip)[1][skip:]


@partial(jax.jit, static_argnums=(1, 2))
def autoregressive(key, n, phi):
    noise = jax.random.normal(key, (n + 200,))
    return jax.lax.scan(lambda x, e: (phi * x + e,) * 2, 0.0, noise)[1][200:]


def lorenz(n, dt=0.02):
    def field(u):
        x, y, z = u
        return jnp.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    def step(u, _):
        k1 = field(u)
        k2 = field(u + dt / 2 * k1)
        k3 = field(u + dt / 2 * k2)
        k4 = field(u + dt * k3)
        u = u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return u, u[0]

    return jax.jit(lambda u: jax.lax.scan(step, u, None, length=n + 2000)[1][2000:])(jnp.ones(3))


def circle(n):
    return jnp.asarray(np.cos(2 * np.pi * GOLDEN * np.arange(n)))


def white(n, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(n))


@pytest.mark.parametrize(
    ("series", "chaotic"),
    [
        (lambda: logistic(2000, 4.0), True),
        (lambda: logistic(2000, 3.97), True),
        (lambda: logistic(2000, 3.7), True),
        (lambda: logistic(2000, 3.5), False),
        (lambda: logistic(2000, 3.55), False),
        (lambda: logistic(2000, 3.83), False),
        (lambda: circle(2000), False),
        (lambda: jnp.asarray(np.asarray(circle(2000)) + 0.7 * np.sin(np.sqrt(2) * np.arange(2000))), False),
    ],
)
def test_zero_one_tells_chaos_from_order(series, chaotic):
    result = compiled_zero_one(series(), KEY)
    assert abs(result.value - chaotic) < (0.005 if chaotic else 0.02)
    assert result.low <= result.value <= result.high


def direct_zero_one(x, frequencies=100):
    """Median and central 95 % of K_c for the same frequencies, by sums over all pairs of times."""
    n, cut = x.size, x.size // 10
    K = []
    for c in np.asarray(jax.random.uniform(KEY, (frequencies,), float, np.pi / 5, 4 * np.pi / 5)):
        z = np.cumsum((x - x.mean()) * np.exp(1j * c * np.arange(n)))
        M = [np.mean(np.abs(z[lag : lag + n - cut] - z[: n - cut]) ** 2) for lag in range(1, cut + 1)]
        K.append(np.corrcoef(np.arange(cut), M)[0, 1])
    return np.quantile(K, [0.5, 0.025, 0.975])


def test_zero_one_is_the_direct_sum():
    x = logistic(2000, 3.6)
    np.testing.assert_allclose(compiled_zero_one(x, KEY)[:3], direct_zero_one(np.asarray(x)), atol=1e-11)


def test_zero_one_subsamples_an_oversampled_series():
    """Unsubsampled, the walk of the smooth chaotic series is as bounded as that of the torus."""
    n = 12_000
    chaos = np.asarray(lorenz(n))
    angle = 2 * np.pi * np.arange(n) / 40.3
    torus = np.sin(angle) + 0.5 * np.sin(np.sqrt(2) * angle)
    test = jax.jit(partial(zero_one, frequencies=40))
    expected = {}
    for name, x in {"chaos": chaos, "torus": torus}.items():
        y = x - x.mean()
        correlations = [np.sum(y[: n - k] * y[k:]) / np.sum(y * y) for k in range(40)]
        stride = int(np.argmax(np.asarray(correlations) <= np.exp(-1)))
        assert stride > 5
        expected[name] = direct_zero_one(x[::stride], 40)
        np.testing.assert_allclose(test(jnp.asarray(x), KEY)[:3], expected[name], atol=1e-9)
    assert expected["chaos"][0] > 0.95
    assert abs(expected["torus"][0]) < 0.1
    assert direct_zero_one(chaos[:1000], 40)[0] < 0.5
    assert REASONS[int(compiled_zero_one(jnp.asarray(chaos[:2000]), KEY).reason)] == "too short"


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


def asymmetry(x):
    """Skewness of the increments: 0 for every series that looks the same reversed in time."""
    d = x[1:] - x[:-1]
    return jnp.mean(d**3) / jnp.mean(d**2) ** 1.5


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


def naive_recurrence(x, radius, dimension, delay, theiler, min_line):
    n = len(x) - (dimension - 1) * delay
    y = np.stack([x[i * delay : i * delay + n] for i in range(dimension)], axis=1)
    R = np.abs(y[:, None] - y[None]).max(axis=-1) <= radius

    def runs(line):
        return [len(list(run)) for flag, run in groupby(line) if flag]

    diagonals = [length for k in range(theiler, n) for length in runs(np.diagonal(R, k))]
    verticals = [length for column in R.T for length in runs(column)]

    def of(lengths):
        lines = [length for length in lengths if length >= min_line]
        p = np.unique(lines, return_counts=True)[1] / max(len(lines), 1)
        return sum(lines) / sum(lengths), np.mean(lines) if lines else 0, max(lines, default=0), -np.sum(p * np.log(p))

    rate = sum(diagonals) / sum(n - k for k in range(theiler, n))
    return rate, *of(diagonals), *of(verticals)[:2], radius


@pytest.mark.parametrize(
    ("series", "settings"),
    [
        (lambda: logistic(150, 4.0), {"radius": 0.1, "dimension": 2, "delay": 1, "theiler": 1, "min_line": 2}),
        (lambda: logistic(150, 3.9), {"radius": 0.2, "dimension": 3, "delay": 2, "theiler": 5, "min_line": 3}),
        (lambda: jnp.round(white(150)), {"radius": 0.0, "dimension": 1, "delay": 1, "theiler": 2, "min_line": 2}),
        (lambda: white(150), {"radius": 0.02, "dimension": 2, "delay": 1, "theiler": 1, "min_line": 9}),
    ],
)
def test_recurrence_is_the_naive_count(series, settings):
    x = series()
    result = compiled_recurrence(x, **settings)
    expected = naive_recurrence(np.asarray(x), **settings)
    np.testing.assert_allclose(result[:-1], expected, rtol=1e-14, atol=0)


def test_recurrence_finds_the_radius_of_a_rate():
    x = white(300)
    result = compiled_recurrence(x, rate=0.05, dimension=2)
    y = np.stack([x[:-1], x[1:]], axis=1)
    distances = np.sort(np.abs(y[:, None] - y[None]).max(axis=-1)[np.triu_indices(299, 1)])
    needed = int(np.ceil(0.05 * distances.size))
    np.testing.assert_allclose(result.radius, distances[needed - 1], atol=1e-8)
    np.testing.assert_allclose(result.recurrence_rate, needed / distances.size, rtol=1e-12)


def test_recurrence_tells_order_chaos_and_noise_apart():
    n = 600
    near_quarter_period = jnp.asarray(np.cos(2 * np.pi * 0.2473 * np.arange(n)))
    order, chaos, noise = (compiled_recurrence(x) for x in (near_quarter_period, logistic(n, 4.0), white(n)))
    assert order.determinism > 0.97
    assert order.longest_diagonal > 500
    assert 0.7 < chaos.determinism < 0.85
    # Independent pairs of overlapping windows: a recurrent point goes on with probability √.05, from both sides.
    onward = np.sqrt(float(noise.recurrence_rate))
    np.testing.assert_allclose(noise.determinism, 1 - (1 - onward) ** 2, atol=0.02)
    cycle = compiled_recurrence(logistic(n, 3.5), rate=0.2)
    assert cycle.determinism == 1
    assert cycle.longest_diagonal == n - 1 - 4
    assert cycle.laminarity == 0


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (lambda: logistic(1000, 2.8), 1),
        (lambda: logistic(1000, 3.2), 2),
        (lambda: logistic(1000, 3.5), 4),
        (lambda: logistic(1000, 3.55), 8),
        (lambda: logistic(1000, 3.83), 3),
        (lambda: logistic(1000, 4.0), 0),
        (lambda: logistic(1000, 3.9), 0),
        (lambda: circle(1000), 0),
        (lambda: jnp.ones(1000), 1),
        (lambda: jnp.asarray(np.sin(2 * np.pi * np.arange(1000) / 64)), 64),
        (lambda: jnp.linspace(0.0, 1.0, 1000), 0),
        (lambda: white(1000), 0),
    ],
)
def test_period_of_the_tail(series, expected):
    assert compiled_period(series()).value == expected


def test_period_looks_at_the_tail_and_allows_its_tolerance():
    transient = np.concatenate([np.asarray(white(400)), np.tile([0.0, 1.0, 3.0], 200)])
    noisy = transient + 0.003 * np.asarray(white(1000, seed=2))
    assert compiled_period(jnp.asarray(transient)).value == 3
    assert compiled_period(jnp.asarray(transient), tail=1.0).value == 0
    assert compiled_period(jnp.asarray(noisy)).value == 0
    assert compiled_period(jnp.asarray(noisy), tolerance=0.02).value == 3
    flicker = 2.0 + 1e-15 * (np.arange(1000) % 3 % 2)
    assert compiled_period(jnp.asarray(flicker)).value == 1


def test_laminar_phases_are_the_naive_count():
    x = np.asarray(logistic(3000, 3.8281))
    quiet = np.abs(x[3:] - x[:-3]) < 0.02
    runs = [(flag, len(list(run))) for flag, run in groupby(quiet)]
    lengths = np.asarray([length for flag, length in runs[1:-1] if flag and length >= 2])
    result = jax.jit(partial(laminar, period=3, min_length=2))(jnp.asarray(x), 0.02)
    margin = 1.96 * lengths.std(ddof=1) / np.sqrt(lengths.size)
    expected = (
        lengths.size,
        lengths.mean(),
        lengths.mean() - margin,
        lengths.mean() + margin,
        lengths.max(),
        quiet.mean(),
    )
    np.testing.assert_allclose(result[:6], expected, rtol=1e-12)
    np.testing.assert_allclose(result.ccdf, [np.mean(lengths >= 2**k) for k in range(12)], rtol=1e-12)


def test_laminar_counts_complete_phases_near_a_reference():
    x = jnp.asarray([0.0, 0, 5, 0, 0, 0, 5, 5, 0, 5, 0])
    measure = jax.jit(partial(laminar, reference=7.0))
    result = measure(x + 7, 1.0)
    np.testing.assert_allclose(result[:6], [2, 2, 2 - 1.96, 2 + 1.96, 3, 7 / 11], rtol=1e-12)
    np.testing.assert_allclose(result.ccdf, [1, 0.5, 0, 0])
    none = measure(x + 20, 0.5)
    assert none.number == 0
    assert np.isnan(none.mean)
    assert none.fraction == 0


def test_laminar_length_of_type_one_intermittency():
    """Below r = 1 + √8 the passage through the channel u' = u + aε + bu² is longest, and its mean goes as ε^(−1/2)."""
    tangency, threshold = 1 + np.sqrt(8), 0.03
    epsilons = np.asarray([1e-4, 2.5e-5, 6.25e-6])
    measure = jax.jit(lambda r: laminar(logistic(400_000, r), threshold, period=3, min_length=3))
    results = [measure(tangency - epsilon) for epsilon in epsilons]

    mean = np.asarray([result.mean for result in results])
    error = np.asarray([(result.high - result.low) / 3.92 / result.mean for result in results])
    (slope, _), covariance = np.polyfit(np.log(epsilons), np.log(mean), 1, w=1 / error, cov="unscaled")
    assert abs(slope + 0.5) < 1.96 * np.sqrt(covariance[0, 0])

    def third(x, r):
        for _ in range(3):
            x = r * x * (1 - x)
        return x

    a, b = [], []
    for x in np.asarray(logistic(3, tangency + 1e-7, 200_000)):
        a.append(-jax.grad(third, 1)(x, tangency))
        b.append(jax.grad(jax.grad(third))(x, tangency) / 2)
    widest = np.argmax(np.abs(a))  # a·b is the same in all three channels; here the displacement is largest
    a, b = abs(float(a[widest])), abs(float(b[widest]))
    longest = 3 * 2 / np.sqrt(a * b * epsilons) * np.arctan(np.sqrt(threshold / (a * epsilons) - 1))
    np.testing.assert_allclose([result.longest for result in results], longest, atol=3)  # one step of f³


INDICATORS = {
    "zero_one": lambda x: zero_one(x, KEY, frequencies=5),
    "permutation_entropy": lambda x: permutation_entropy(x, 3),
    "autocorrelation": lambda x: autocorrelation(x, 5),
    "shuffled_band": lambda x: shuffled_band(x, KEY, 5, shuffles=3),
    "surrogate_test": lambda x: surrogate_test(asymmetry, x, KEY, count=3),
    "recurrence": lambda x: recurrence(x),
    "period": lambda x: period(x),
    "laminar": lambda x: laminar(x, 0.1),
}


@pytest.mark.parametrize("name", INDICATORS)
def test_degenerate_input_gives_nan_with_its_reason(name):
    measure = jax.jit(jax.vmap(INDICATORS[name]))
    good = white(600)
    constant = jnp.full(600, 0.7)
    flicker = constant.at[::7].add(3e-16)
    cases = jnp.stack([good, good.at[300].set(jnp.nan), good.at[300].set(jnp.inf), constant, flicker])
    result = measure(cases)
    reasons = [REASONS[int(code)] for code in result.reason]
    same = name in ("period", "laminar")  # a constant has the period 1 and is all laminar
    assert reasons == ["", "not finite", "not finite", *(["", ""] if same else ["constant", "constant"])]
    for measured in result[:-1]:
        rows = np.asarray(measured).reshape(5, -1)
        assert np.isnan(rows[[i for i, reason in enumerate(reasons) if reason]]).all()
        assert np.isfinite(rows[0]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: zero_one(x, KEY), "at least 500 samples"),
        (lambda x: permutation_entropy(x, 5), "needs a series of 604"),
        (lambda x: permutation_entropy(x, 8), "order=8"),
        (lambda x: autocorrelation(x, 100), "lags=100"),
        (lambda x: shuffled_band(x, KEY, confidence=1.0), "confidence=1.0"),
        (lambda x: surrogate_test(jnp.max, x, KEY, side="left"), "side='left'"),
        (lambda x: recurrence(x, dimension=20, delay=10), "dimension=20"),
        (lambda x: recurrence(x, theiler=99), "theiler=99"),
        (lambda x: autocorrelation(jnp.stack([x, x])), "must be one series"),
        (lambda x: period(x), "max_period=64"),
        (lambda x: laminar(x, 1.0, period=0), "period >= 1"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(white(100))


def test_no_recurrence_has_its_reason():
    result = compiled_recurrence(jnp.asarray(np.arange(150.0)), 0.5, dimension=1, theiler=2)
    assert REASONS[int(result.reason)] == "too few neighbours"
    assert np.isnan(result.recurrence_rate)
