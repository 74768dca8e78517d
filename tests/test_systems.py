from functools import cache
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import chaosjax as cj
from chaosjax import systems
from chaosjax.systems import SCALAR_NET_REGIMES
from chaosjax.systems import _descent as descent
from chaosjax.systems import _maps as maps

REFERENCES = maps.REFERENCES | descent.REFERENCES  # flows: test_flows.py
SEEDS = np.arange(32)
WARM_UP = 1000
every_system = pytest.mark.parametrize("name", REFERENCES)


def measured(system, axes, steps=6000):
    """Finite-time exponents of the whole spectrum after the transient, over the axes."""
    x = system.init(jax.random.key(0), system.theta)
    k = cj.phase(x)[0].size
    probes = {"growth": cj.probes.lyapunov(k)}
    devices = jax.devices()[:1]
    dataset = cj.sweep(
        system, probes, axes, steps=steps, stride=1000, cells_per_batch=32, devices=devices, progress=False
    )
    return cj.stats.finite_time_exponents(dataset.growth, WARM_UP)


@cache
def reference_run(name):
    return measured(REFERENCES[name].system(), {"seed": SEEDS}).values


def orbits(system, x, steps, **theta):
    """The phase points ``[steps, orbits, ...]`` from x ``[orbits, ...]`` on, under one theta."""
    theta = {**system.theta, **theta}

    def step(x, _):
        return jax.vmap(system.step, (0, None, None))(x, theta, None), x

    return np.asarray(jax.jit(lambda x: lax.scan(step, x, None, steps)[1])(x))


def starts(system, count):
    return jax.vmap(lambda key: system.init(key, system.theta))(jax.random.split(jax.random.key(0), count))


def standard_error(values):
    return values.std(0, ddof=1) / np.sqrt(len(values))


# Every system against its record

# Orbits of the standard map at k = 1 take some 10⁶ steps to spread over the sea; what holds before is tested below.
MIXING = [name for name in REFERENCES if name != "standard_map"]


@pytest.mark.parametrize("name", MIXING)
def test_exponents_are_the_references(name):
    reference, runs = REFERENCES[name], reference_run(name)
    expected = np.array(reference.exponents)
    assert runs.shape[1] == expected.size
    error = np.abs(runs.mean(0) - expected)
    last_digit = 0.0 if reference.exact else 5e-6
    assert (error < 4 * standard_error(runs) + last_digit + 1e-12).all(), (error, standard_error(runs))
    assert (error < 0.01 * np.abs(expected)).all()


@pytest.mark.parametrize(
    "name", ["tent", "cat", "doubling_lattice", "gradient_descent_quadratic", "heavy_ball_quadratic", "perceptron"]
)
def test_constant_tangent_maps_give_the_exact_spectrum_on_every_orbit(name):
    expected = np.tile(REFERENCES[name].exponents, (len(SEEDS), 1))
    np.testing.assert_allclose(reference_run(name), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in MIXING if REFERENCES[name].sum is not None])
def test_exponents_sum_to_the_volume_contraction(name):
    np.testing.assert_allclose(reference_run(name).sum(1), REFERENCES[name].sum, rtol=0, atol=1e-10)


def test_the_kaplan_yorke_dimension_of_henon_belongs_to_its_exponents():
    first, second = REFERENCES["henon"].exponents
    assert REFERENCES["henon"].kaplan_yorke == pytest.approx(1 - first / second, abs=1e-5)


@every_system
def test_eager_and_compiled_steps_agree(name):
    system = REFERENCES[name].system()
    x = eager = system.init(jax.random.key(1), system.theta)
    for _ in range(8):
        eager = system.step(eager, system.theta, None)
    compiled = jax.jit(lambda x: lax.fori_loop(0, 8, lambda _, x: system.step(x, system.theta, None), x))(x)
    np.testing.assert_allclose(cj.phase(compiled)[0], cj.phase(eager)[0], rtol=1e-11)


@every_system
def test_orbits_start_at_random_last_and_keep_their_precision(name):
    system = REFERENCES[name].system()
    for x64 in (False, True):
        with jax.enable_x64(x64):
            first, second = (system.init(jax.random.key(seed), system.theta) for seed in (0, 1))
            u, v = cj.phase(first)[0], cj.phase(second)[0]
            assert not np.array_equal(u, v)
            last = lax.fori_loop(0, 500, lambda _, x: system.step(x, system.theta, None), first)
            image = cj.phase(last)[0]
            assert image.dtype == (jnp.float64 if x64 else jnp.float32)
            assert jnp.isfinite(image).all()


def test_the_descent_maps_step_down_their_own_loss():
    for name, reference in systems._descent.REFERENCES.items():
        system = reference.system()
        x = system.init(jax.random.key(2), system.theta)
        slope = jax.grad(lambda x, system=system: system.loss(x, system.theta, None))(x)
        moved = system.params(system.step(x, system.theta, None)) - system.params(x)
        expected = -system.theta["learning_rate"] * system.params(slope)
        np.testing.assert_allclose(moved, expected, rtol=1e-12, err_msg=name)


# Binary arithmetic


def test_doubling_collapses_at_slope_two_and_the_default_orbits_last():
    system = systems.tent()
    x = starts(system, 16)
    assert (orbits(system, x, 100, slope=2.0)[-1] == 0).all()
    late = orbits(system, x, 50_000)[-2000:]
    assert min(np.unique(late[:, i]).size for i in range(16)) == 2000
    # The invariant density is within 1e-4 of uniform: mean 1/2, standard deviation 1/√12.
    assert late.mean() == pytest.approx(0.5, abs=0.01)
    assert late.std() == pytest.approx(12**-0.5, abs=0.01)


@pytest.mark.parametrize("coupling", [0.1, 0.25])
def test_coupling_keeps_the_doubling_lattice_from_collapsing(coupling):
    system = systems.doubling_lattice()
    x = starts(system, 16)
    assert (orbits(system, x, 100, coupling=0.0)[-1] == 0).all()
    late = orbits(system, x, 50_000, coupling=coupling)[-2000:]
    assert min(np.unique(late[:, i, 0]).size for i in range(16)) == 2000
    assert late.mean() == pytest.approx(0.5, abs=0.01)


# Control parameters as axes


def neutral(steps):
    """A neutral cycle is approached as a power of t, so that growth over t steps is of order ln t."""
    return 2 * np.log(steps) / steps


def test_logistic_exponents_over_r():
    doublings = [3.0, 1 + np.sqrt(6)]
    exponents = measured(systems.logistic(), {"r": [2.5, 3.3, 3.83, 4.0, *doublings], "seed": SEEDS})
    fixed, period_two, window, chaos, *at_doubling = exponents.values[..., 0]
    np.testing.assert_allclose(fixed, np.log(0.5), rtol=1e-10)
    np.testing.assert_allclose(period_two, np.log(abs(4 + 2 * 3.3 - 3.3**2)) / 2, rtol=1e-10)
    assert (window < -0.3).all()
    assert abs(chaos.mean() - np.log(2)) < 4 * standard_error(chaos)
    assert (np.abs(at_doubling) < neutral(5000)).all()


def test_lattice_spectrum_over_the_coupling():
    couplings = [0.05, 0.3, 0.7]
    exponents = measured(systems.doubling_lattice(sites=5), {"coupling": couplings}, steps=4000)
    for coupling, found in zip(couplings, exponents.values, strict=True):
        np.testing.assert_allclose(found, systems.doubling_lattice_exponents(5, coupling), rtol=0, atol=1e-10)


def test_heavy_ball_spectrum_over_the_learning_rate():
    """Real eigenvalue pairs of both signs, and complex ones that turn by 2π/n a step, n dividing the window."""
    beta = 0.25
    turning = [1 + beta - 2 * np.sqrt(beta) * np.cos(2 * np.pi / n) for n in (3, 4, 5, 8)]
    rates = np.array([0.1, 2.45, *turning])
    system = systems.quadratic(curvatures=[1.0], momentum=beta)
    exponents = measured(system, {"learning_rate": rates}, steps=4000)
    for rate, found in zip(rates[[0, 1, 3, 4, 5]], exponents.values[[0, 1, 3, 4, 5]], strict=True):
        np.testing.assert_allclose(found, systems.quadratic_exponents([1.0], rate, beta), rtol=0, atol=1e-10)
    np.testing.assert_allclose(exponents.values[2:], np.log(beta) / 2, rtol=0, atol=1e-3)


def test_standard_map_starts_in_the_chaotic_sea_and_follows_chirikovs_law():
    exponents = measured(systems.standard_map(), {"k": [1.0, 50.0], "seed": SEEDS})
    sea, strong = exponents.values
    # On an island tangents grow linearly in time.
    assert (sea[:, 0] > 5 * np.log(5000) / 5000).all()
    np.testing.assert_allclose(exponents.sum("exponent"), 0, atol=1e-10)
    error = np.abs(strong[:, 0].mean() - np.log(25))
    assert error < 4 * standard_error(strong[:, 0])
    assert error < 0.01 * np.log(25)


def test_perceptron_exponents_over_learning_rate_and_labels():
    axes = {"positive_fraction": [0.3, 0.5], "learning_rate": [1.0, 5.0, 15.0], "seed": SEEDS}
    exponents = measured(systems.perceptron(), axes)[..., 0]
    for p in axes["positive_fraction"]:
        for rate in axes["learning_rate"][:2]:
            found = exponents.sel(positive_fraction=p, learning_rate=rate)
            np.testing.assert_allclose(found, np.log(abs(1 - rate * p * (1 - p))), rtol=1e-9)
    assert (exponents.sel(positive_fraction=0.3, learning_rate=15.0) > 0.2).all()
    assert (exponents.sel(positive_fraction=0.5, learning_rate=15.0) < 0).all()


# Exact spectra as functions


@pytest.mark.parametrize("momentum", [None, 0.6])
def test_quadratic_exponents_are_the_eigenvalues_of_the_jacobian(momentum):
    curvatures = [0.05, 0.4, 1.0, 1.5]
    system = systems.quadratic(curvatures, learning_rate=1.3, momentum=momentum)
    u, chart = cj.phase(system.init(jax.random.key(3), system.theta))
    jacobian = jax.jacfwd(lambda u: cj.phase(system.step(chart(u), system.theta, None))[0])(u)
    expected = np.sort(np.log(np.abs(np.linalg.eigvals(jacobian))))[::-1]
    np.testing.assert_allclose(systems.quadratic_exponents(curvatures, 1.3, momentum), expected, rtol=1e-10)


def test_lattice_exponents_are_the_singular_values_of_the_symmetric_jacobian():
    system = systems.doubling_lattice(sites=7, coupling=0.37)
    x = system.init(jax.random.key(4), system.theta)
    jacobian = jax.jacfwd(lambda x: system.step(x, system.theta, None))(x)
    expected = np.log(np.linalg.svd(jacobian, compute_uv=False))
    np.testing.assert_allclose(systems.doubling_lattice_exponents(7, 0.37), expected, rtol=1e-12)


def test_directions_that_die_at_once_have_exponent_minus_infinity():
    assert systems.quadratic_exponents([0.5, 1.0], 1.0) == (np.log(0.5), -np.inf)
    assert systems.doubling_lattice_exponents(4, 0.5)[-1] == -np.inf


@pytest.mark.parametrize("sites", [2, 0])
def test_a_lattice_is_a_ring(sites):
    with pytest.raises(ValueError, match=f"sites={sites} must be an integer of at least 3"):
        systems.doubling_lattice(sites=sites)


# Regimes of the scalar net, at a = learning_rate · target

TARGET = 2.0
net = systems.scalar_net(target=TARGET)


def residuals(a, steps, count=2000):
    """The scaled residuals z ``[steps, count]`` of orbits that start all over the basin."""
    rate = a / TARGET
    edge = np.sqrt(2 / rate + TARGET)
    w = orbits(net, jnp.linspace(0.0003, 0.9997, count) * edge, steps, learning_rate=rate)
    theta = {"learning_rate": rate, "target": TARGET}
    return np.asarray(jnp.vectorize(lambda w: net.metrics["scaled_residual"](w, theta))(w))


def test_scalar_net_obeys_its_reduced_map():
    a = 1.7
    z = residuals(a, 2)
    np.testing.assert_allclose(z[1], z[0] ** 3 + (a - 2) * z[0] ** 2 + (1 - 2 * a) * z[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("regime", ["monotone", "catapult"])
def test_scalar_net_learns_with_and_without_rises_of_the_loss(regime):
    low, high = SCALAR_NET_REGIMES[regime]
    for a in (low + 0.02, (low + high) / 2, high - 0.01):
        loss = residuals(a, 3000) ** 2
        rises = (loss[1:] > loss[:-1] * (1 + 1e-9) + 1e-28).any()
        assert rises == (regime == "catapult"), a
        assert (loss[-1] < 1e-20).all(), a


@pytest.mark.parametrize(("a", "period"), [(1.01, 2), (1.1, 2), (1.23, 2), (1.24, 4), (1.28, 4), (1.294, 8)])
def test_scalar_net_doubles_its_period(a, period):
    late = residuals(a, 8000, count=100)[-64:]
    periods = [p for p in (1, 2, 4, 8, 16) if np.abs(late[p:] - late[:-p]).max() < 1e-8]
    assert periods[0] == period
    name = "period 2" if period == 2 else "period doubling"
    assert SCALAR_NET_REGIMES[name][0] < a < SCALAR_NET_REGIMES[name][1]


def test_scalar_net_diverges_past_two_and_not_before():
    assert (np.abs(residuals(1.999, 2000)) < 4).all()
    assert not np.isfinite(residuals(2.01, 2000)[-1]).any()


def test_scalar_net_exponents_over_the_learning_rate():
    onset = SCALAR_NET_REGIMES["chaos"][0]
    neutral_a = [1.0, SCALAR_NET_REGIMES["period 2"][1]]
    a = np.array([0.4, 1.302, 1.303, 2.0, *neutral_a])
    exponents = measured(net, {"learning_rate": a / TARGET, "seed": SEEDS})
    minimum, below, above, chebyshev, *at_doubling = exponents.values[..., 0]
    np.testing.assert_allclose(minimum, np.log(0.2), rtol=1e-10)
    assert 1.302 < onset < 1.303
    assert (below < 0).all()
    assert (above > 0).all()
    assert abs(chebyshev.mean() - np.log(3)) < 4 * standard_error(chebyshev)
    assert (np.abs(at_doubling) < neutral(5000)).all()


def test_regimes_follow_one_another():
    ends = list(SCALAR_NET_REGIMES.values())
    assert all(left[1] == right[0] for left, right in pairwise(ends))
    assert (ends[0][0], ends[-1][1]) == (0.0, np.inf)
