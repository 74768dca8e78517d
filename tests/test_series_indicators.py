"""0–1 test, recurrence, period and laminar phases against direct counts and published behaviour; bad input of all."""

from functools import partial
from itertools import groupby

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from known_series import KEY, asymmetry, circle, logistic, lorenz, white

from chaosjax.series._autocorrelation import autocorrelation, shuffled_band
from chaosjax.series._estimate import REASONS
from chaosjax.series._laminar_phases import laminar_phases
from chaosjax.series._period import period
from chaosjax.series._permutation_entropy import permutation_entropy
from chaosjax.series._recurrence_quantification import recurrence_quantification
from chaosjax.series._surrogates import surrogate_test
from chaosjax.series._zero_one_test import zero_one_test

compiled_zero_one = jax.jit(zero_one_test, static_argnames="frequencies")
compiled_entropy = jax.jit(permutation_entropy, static_argnames=("order", "delay"))
compiled_period = jax.jit(period, static_argnames=("max_period", "tail", "tolerance"))
recurrence_settings = ("rate", "dimension", "delay", "theiler", "min_line")
compiled_recurrence = jax.jit(
    lambda x, radius=None, **settings: recurrence_quantification(x, radius=radius, **settings),
    static_argnames=recurrence_settings,
)


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
    test = jax.jit(partial(zero_one_test, frequencies=40))
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
    result = jax.jit(partial(laminar_phases, period=3, min_length=2))(jnp.asarray(x), 0.02)
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
    measure = jax.jit(partial(laminar_phases, reference=7.0))
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
    measure = jax.jit(lambda r: laminar_phases(logistic(400_000, r), threshold, period=3, min_length=3))
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
    "zero_one": lambda x: zero_one_test(x, KEY, frequencies=5),
    "permutation_entropy": lambda x: permutation_entropy(x, 3),
    "autocorrelation": lambda x: autocorrelation(x, 5),
    "shuffled_band": lambda x: shuffled_band(x, KEY, 5, shuffles=3),
    "surrogate_test": lambda x: surrogate_test(asymmetry, x, KEY, count=3),
    "recurrence": lambda x: recurrence_quantification(x),
    "period": lambda x: period(x),
    "laminar": lambda x: laminar_phases(x, 0.1),
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
        (lambda x: zero_one_test(x, KEY), "x has 100 samples.*at least 500"),
        (lambda x: permutation_entropy(x, 5), "needs a series of 604"),
        (lambda x: permutation_entropy(x, 8), "order=8"),
        (lambda x: autocorrelation(x, 100), "lags=100"),
        (lambda x: shuffled_band(x, KEY, confidence=1.0), "confidence=1.0"),
        (lambda x: surrogate_test(jnp.max, x, KEY, side="left"), "side='left'"),
        (lambda x: recurrence_quantification(x, dimension=20, delay=10), "dimension=20"),
        (lambda x: recurrence_quantification(x, theiler=99), "theiler=99"),
        (lambda x: period(x), "max_period=64"),
        (lambda x: laminar_phases(x, 1.0, period=0), "period=0 must be an integer from 1 to"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(white(100))


def test_no_recurrence_has_its_reason():
    result = compiled_recurrence(jnp.asarray(np.arange(150.0)), 0.5, dimension=1, theiler=2)
    assert REASONS[int(result.reason)] == "too few neighbours"
    assert np.isnan(result.recurrence_rate)
