"""Exponents and the dimension from delay embeddings of a scalar series."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import chaosjax as cj
from chaosjax import series
from chaosjax.series import REASONS

CODES = {why: code for code, why in REASONS.items()}
EXPONENTS = {"logistic": math.log(2), "henon": 0.41922}
LENGTH = 5000
SEEDS = 5
ESTIMATORS = {"rosenstein": series.rosenstein, "kantz": series.kantz, "dimension": series.correlation_dimension}
COMPILED = {name: jax.jit(estimator) for name, estimator in ESTIMATORS.items()}
SHORT = {name: jax.jit(estimator) for name, estimator in ESTIMATORS.items()}


@partial(jax.jit, static_argnames=("name", "length"))
def orbits(name, length=LENGTH):
    """x of a reference map from `SEEDS` starts."""
    system = {"logistic": cj.systems.logistic(), "henon": cj.systems.henon()}[name]

    def orbit(key):
        def step(x, _):
            return system.step(x, system.theta, None), jnp.ravel(x)[0]

        return jax.lax.scan(step, system.init(key, system.theta), length=length + 200)[1][200:]

    return jax.vmap(orbit)(jax.random.split(jax.random.key(0), SEEDS))


def nulls(seed, n=LENGTH):
    """Series without an exponent."""
    random, t = np.random.default_rng(seed), np.arange(n)
    noise = random.normal(size=n)
    smoothing = np.exp(-0.5 * np.linspace(-4, 4, 81) ** 2)
    return {
        "white noise": noise,
        "uniform noise": random.uniform(size=n),
        "smoothed noise": np.convolve(random.normal(size=n + 80), smoothing, "valid"),
        "random walk": noise.cumsum(),
        "walk of a walk": noise.cumsum().cumsum(),
        "sine": np.sin(t * (0.1 + random.uniform())),
        "sine of period 50": np.sin(2 * np.pi * t / 50),
        "torus": np.sin(0.3 * t) + np.sin(0.3 * math.sqrt(2) * t),
        "noisy sine": np.sin(0.2 * t) + 1e-3 * noise,
        "exponential decay": np.exp(-t / 600),
        "noisy decay": np.exp(-t / 600) + 1e-3 * noise,
        "power law": 1 / (1 + t),
        "ramp": t / 7,
        "cycle": np.resize([0.2, 0.7, 0.5], n),
        "coin": (noise > 0).astype(float),
    }


# Known exponents and dimensions


@pytest.mark.parametrize("method", ["rosenstein", "kantz"])
@pytest.mark.parametrize("name", EXPONENTS)
def test_default_arguments_give_the_exponent_within_five_percent(method, name):
    estimates = [COMPILED[method](x) for x in orbits(name)]
    values = np.array([e.value for e in estimates])
    np.testing.assert_allclose(values, EXPONENTS[name], rtol=0.05)
    np.testing.assert_allclose(values.mean(), EXPONENTS[name], rtol=0.02)
    assert all(e.reason == 0 and e.low < e.value < e.high for e in estimates)


@jax.jit
def henon_tangent_exponent(x):
    def step(tangent, value):
        pushed = jnp.stack([-2.8 * value * tangent[0] + tangent[1], 0.3 * tangent[0]])
        size = jnp.linalg.norm(pushed)
        return pushed / size, jnp.log(size)

    return jnp.mean(jax.lax.scan(step, jnp.array([1.0, 0.0]), x)[1])


def test_rosenstein_follows_the_finite_time_exponent_of_the_same_orbit():
    for x in orbits("logistic"):
        np.testing.assert_allclose(COMPILED["rosenstein"](x).value, jnp.mean(jnp.log(abs(4 - 8 * x))), rtol=0.01)
    for x in orbits("henon"):
        np.testing.assert_allclose(COMPILED["rosenstein"](x).value, henon_tangent_exponent(x), rtol=0.015)


def test_single_precision_gives_the_exponent():
    estimate = COMPILED["rosenstein"](orbits("logistic")[0].astype(jnp.float32))
    assert estimate.value.dtype == jnp.float32
    np.testing.assert_allclose(estimate.value, math.log(2), rtol=0.05)


def test_correlation_dimension_of_henon_is_the_published_one():
    # 1.220 ± .036 in Sprott and Rowlands (2001), 1.21 ± .01 in Grassberger and Procaccia (1983) without correction.
    values = [float(COMPILED["dimension"](x).value) for x in orbits("henon")]
    np.testing.assert_allclose(np.mean(values), 1.22, atol=0.036)


def test_correlation_dimension_of_the_feigenbaum_attractor_is_the_published_one():
    def step(x, _):
        return 3.569945671870945 * x * (1 - x), x

    x = jax.lax.scan(step, jnp.asarray(0.5), length=LENGTH + 2000)[1][2000:]
    estimate = COMPILED["dimension"](x)
    published, band = 0.500, 0.005  # Grassberger and Procaccia (1983)
    assert estimate.low - band < published < estimate.high + band
    assert estimate.high - estimate.low < 0.02


def test_correlation_dimension_of_a_circle_is_one():
    x = jnp.asarray(np.sin(np.arange(LENGTH) * math.sqrt(2)))
    np.testing.assert_allclose(COMPILED["dimension"](x).value, 1, rtol=0.03)


def test_correlation_dimension_of_the_logistic_map_is_about_one():
    values = [float(COMPILED["dimension"](x).value) for x in orbits("logistic")]
    assert 0.85 < min(values) <= max(values) < 1


# Series without an answer


@pytest.mark.parametrize("method", ["rosenstein", "kantz"])
@pytest.mark.parametrize("name", nulls(0))
def test_series_without_exponential_growth_have_no_exponent(method, name):
    estimate = COMPILED[method](jnp.asarray(nulls(0)[name]))
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
    assert REASONS[int(estimate.reason)] in ("no scaling region", "too few neighbours")


@pytest.mark.parametrize("name", ["white noise", "uniform noise", "smoothed noise", "random walk", "noisy decay"])
def test_noise_has_no_dimension(name):
    for seed in range(2):
        estimate = COMPILED["dimension"](jnp.asarray(nulls(seed)[name]))
        assert np.isnan(estimate.value)
        assert REASONS[int(estimate.reason)] == "no saturation"


@pytest.mark.parametrize("method", ESTIMATORS)
@pytest.mark.parametrize(("value", "why"), [(0.3, "constant"), (np.nan, "not finite"), (np.inf, "not finite")])
def test_degenerate_values_are_named(method, value, why):
    x = np.full(LENGTH, 0.3)
    x[100] = value
    estimate = COMPILED[method](jnp.asarray(x))
    assert REASONS[int(estimate.reason)] == why
    assert np.isnan([estimate.value, estimate.low, estimate.high]).all()


def test_a_radius_without_neighbours_is_named():
    estimate = jax.jit(partial(series.kantz, radius=1e-12))(orbits("henon")[0])
    assert np.isnan(estimate.value)
    assert REASONS[int(estimate.reason)] == "too few neighbours"


# The definitions, by brute force


def delayed(x, dimension, delay, ahead):
    points = len(x) - (dimension - 1) * delay
    return np.stack([x[j * delay : j * delay + points] for j in range(dimension)], axis=1), points - ahead


@pytest.mark.parametrize(("dimension", "delay", "theiler"), [(1, 1, 0), (2, 1, 3), (3, 2, 20)])
def test_rosenstein_curves_are_those_of_a_direct_search(dimension, delay, theiler):
    x, horizon = np.asarray(orbits("henon")[0, :400]), 12
    vectors, count = delayed(x, dimension, delay, horizon)
    expected = np.empty((count, horizon + 1))
    for i in range(count):
        distance = np.linalg.norm(vectors[:count] - vectors[i], axis=1)
        distance[np.abs(np.arange(count) - i) <= theiler] = np.inf
        nearest = np.argmin(distance)
        for k in range(horizon + 1):
            expected[i, k] = np.log(np.linalg.norm(vectors[i + k] - vectors[nearest + k]))
    curves = jax.jit(partial(series.rosenstein_curves, dimension=dimension, delay=delay, theiler=theiler, horizon=12))
    np.testing.assert_allclose(curves(x), expected, rtol=1e-10)


@pytest.mark.parametrize(
    ("dimension", "radius", "average"), [(1, 5e-3, "log"), (1, 5e-3, "distance"), (2, 0.1, "log"), (2, None, "log")]
)
def test_kantz_curves_are_those_of_a_direct_search(dimension, radius, average):
    x, horizon, theiler, references = np.asarray(orbits("henon")[0, :400]), 10, 3, 100
    vectors, count = delayed(x, dimension, 1, horizon)
    expected = np.full((references, horizon + 1), np.nan)
    for row, i in enumerate(np.linspace(0, count, references, endpoint=False).astype(int)):
        distance = np.abs(vectors[:count] - vectors[i]).max(axis=1)
        distance[np.abs(np.arange(count) - i) <= theiler] = np.inf
        near = np.argsort(distance)[:5] if radius is None else np.flatnonzero(distance < radius)
        if len(near):
            apart = np.abs(
                x[i + dimension - 1 + np.arange(horizon + 1), None]
                - x[near + dimension - 1 + np.arange(horizon + 1)[:, None]]
            )
            expected[row] = np.log(apart).mean(axis=1) if average == "log" else np.log(apart.mean(axis=1))
    curves = jax.jit(
        partial(
            series.kantz_curves,
            dimension=dimension,
            radius=radius,
            average=average,
            theiler=theiler,
            horizon=horizon,
            references=references,
        )
    )
    assert np.isfinite(expected).any()
    np.testing.assert_allclose(curves(x), expected, rtol=1e-10)


def test_a_given_window_is_fitted_as_by_polyfit():
    x = orbits("logistic")[0]
    settings = {"dimension": 1, "radius": 5e-5, "references": 1000}
    curve = np.nanmean(jax.jit(partial(series.kantz_curves, **settings))(x), axis=0)
    estimate = jax.jit(partial(series.kantz, **settings, window=(0, 10)))(x)
    np.testing.assert_allclose(estimate.value, np.polyfit(np.arange(11), curve[:11], 1)[0], rtol=1e-10)


def test_correlation_sum_is_the_share_of_close_pairs():
    x, theiler = np.asarray(orbits("henon")[0, :500]), 7
    radii, shares = jax.jit(partial(series.correlation_sum, theiler=theiler))(x)
    vectors = delayed(x, 2, 1, 0)[0][: len(x) - 2]  # points that have a third coordinate too
    distance = np.abs(vectors[:, None] - vectors[None]).max(axis=-1)
    index = np.arange(len(vectors))
    admitted = np.abs(index[:, None] - index[None]) > theiler
    expected = [(distance[admitted] <= radius).mean() for radius in np.asarray(radii)]
    np.testing.assert_allclose(shares, expected, rtol=1e-10)
    np.testing.assert_allclose(radii[-1], np.ptp(x))


def test_the_straightest_window_is_the_one_of_a_direct_search():
    curve = np.asarray(jax.jit(series.rosenstein_curves)(orbits("henon")[0])).mean(axis=0)
    best = (np.inf, None)
    for start in range(len(curve)):
        for stop in range(start + 4, len(curve)):
            fit, covariance = np.polyfit(np.arange(start, stop + 1), curve[start : stop + 1], 1, cov=True)
            if fit[0] * (stop - start) >= 2:
                best = min(best, (math.sqrt(covariance[0, 0]) / fit[0], fit[0]))
    np.testing.assert_allclose(COMPILED["rosenstein"](orbits("henon")[0]).value, best[1], rtol=1e-9)


# Invariances


@pytest.mark.parametrize("method", ESTIMATORS)
def test_estimates_do_not_depend_on_unit_and_origin(method):
    x = orbits("henon")[0]
    np.testing.assert_allclose(COMPILED[method](-37.0 * x + 5), COMPILED[method](x), rtol=1e-6)


@pytest.mark.parametrize("method", ESTIMATORS)
def test_vmap_and_apply_are_a_loop(method):
    x = orbits("henon")[:3, :600].at[1, 5].set(jnp.nan)
    loop = [SHORT[method](row) for row in x]
    curves = xr.DataArray(
        np.asarray(x)[None], dims=("learning_rate", "seed", "time"), coords={"learning_rate": [0.1], "seed": [3, 4, 5]}
    )
    result = series.apply(ESTIMATORS[method], curves, batch_size=2)
    assert set(result) == {"value", "reason"}
    assert result.value.dims == ("bound", "learning_rate", "seed")
    for bound, field in {"estimate": "value", "low": "low", "high": "high"}.items():
        found = result.value.sel(bound=bound).values[0]
        np.testing.assert_allclose(found, [getattr(e, field) for e in loop], rtol=1e-9)
    assert result.reason.values[0].tolist() == [int(e.reason) for e in loop]
    assert result.seed.values.tolist() == [3, 4, 5]
    assert result.reason.sel(seed=4).item() == CODES["not finite"]
    assert np.isnan(result.value.sel(seed=4)).all()
    assert f"{CODES['no saturation']}: no saturation" in result.reason.attrs["reasons"]


def test_apply_takes_any_dimension_and_function():
    data = xr.DataArray(np.arange(12.0).reshape(4, 3), dims=("step", "seed"))
    result = series.apply(lambda x: x[:2] - x[0], data, dim="step")
    np.testing.assert_array_equal(result.value, np.tile([0.0, 3.0], (3, 1)))
    assert result.value.dims == ("seed", "value_0")


def test_apply_joins_an_interval_with_the_field_before_it():
    x = np.random.default_rng(0).standard_normal((2, 300))
    data = xr.DataArray(x, dims=("seed", "time"))
    phases = series.apply(lambda x: series.laminar_phases(x, 0.5), data)
    expected = [series.laminar_phases(row, 0.5) for row in jnp.asarray(x)]
    assert phases["mean"].dims == ("bound", "seed")
    assert phases.bound.values.tolist() == ["estimate", "low", "high"]
    np.testing.assert_allclose(phases["mean"], np.transpose([(e.mean, e.low, e.high) for e in expected]), rtol=1e-12)
    assert {"number", "longest", "fraction", "ccdf", "reason"} == set(phases) - {"mean"}
    entropy = series.apply(partial(series.permutation_entropy, order=3), data)
    assert entropy.value.sizes == {"bound": 3, "seed": 2}
    band = series.apply(lambda x: series.shuffled_band(x, jax.random.key(0), 4, shuffles=9), data)
    assert set(band) == {"low", "high", "reason"}


def test_apply_compiles_an_estimator_once():
    traces = []

    def estimator(x):
        traces.append(x)
        return x.sum()

    for scale in (1.0, 2.0):
        result = series.apply(estimator, xr.DataArray(scale * np.ones((3, 4)), dims=("seed", "time")))
        assert result.value.values.tolist() == [4 * scale] * 3
    assert len(traces) == 1


def test_mean_period():
    t = np.arange(4000)
    np.testing.assert_allclose(series.mean_period(jnp.asarray(np.sin(2 * np.pi * t / 40))), 40, rtol=1e-9)
    noise = jax.random.normal(jax.random.key(0), (20_000,))
    np.testing.assert_allclose(series.mean_period(noise), 4, rtol=0.02)


# Messages


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: series.embed(x, 3, 200), "x has 300 samples.*at least 401"),
        (lambda x: series.rosenstein(x, dimension=0), "dimension=0 must be"),
        (lambda x: series.rosenstein(x, delay=0), "delay=0 must be"),
        (lambda x: series.rosenstein(x, horizon=280), "x has 300 samples.*horizon"),
        (lambda x: series.rosenstein(x, horizon=3), "horizon=3 must be an integer of at least 4"),
        (lambda x: series.rosenstein(x, theiler=-1), "theiler=-1 must be"),
        (lambda x: series.rosenstein(x, window=(3, 30)), r"window=\(3, 30\) must span"),
        (lambda x: series.kantz(x, radius=0.0), "radius=0.0 must be positive"),
        (lambda x: series.kantz(x, average="mean"), "average='mean' must be"),
        (lambda x: series.kantz(x, references=10), "references=10 must be an integer of at least 50"),
        (lambda x: series.correlation_dimension(x, dimension=300), "x has 300 samples"),
        (lambda x: series.apply(series.rosenstein, xr.DataArray(x, dims="step")), "no dimension 'time'"),
        (lambda x: series.apply(series.rosenstein, xr.DataArray(x[None, :0], dims=("seed", "time"))), "is empty"),
        (lambda x: series.apply(series.rosenstein, xr.DataArray(x, dims="time"), batch_size=0), "batch_size=0"),
    ],
)
def test_arguments_that_cannot_be_are_refused(call, message):
    x = orbits("henon")[0, :300]
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(call, x) if "apply" not in call.__code__.co_names else call(np.asarray(x))
