"""Lines, planes, barriers, valleys and the central flow against what is known exactly."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chaosjax as cj
from chaosjax import curvature

RATE = {"learning_rate": 0.4}
KEY = jax.random.key(0)


def landscape(values, ends=1.0):
    """L(w) = ½ Σ h_i w_i² + ends · (w_0 − 1)² (w_0 + 1)²."""
    h = jnp.asarray(values)
    return cj.System(
        init=lambda key, theta: jnp.zeros(h.size),
        step=lambda x, theta, noise: x,
        loss=lambda x, theta, noise: 0.5 * jnp.sum(h * x**2) + ends * (x[0] ** 2 - 1) ** 2,
    )


def test_lines_and_planes_are_the_loss_there():
    system, x = landscape([1.0, 2.0, 3.0]), jnp.asarray([0.5, -1.0, 0.2])
    directions, at = jnp.asarray([[0.0, 1.0, 0.0], [0.6, 0.0, 0.8]]), jnp.asarray(np.linspace(-1, 1, 5))
    lines = curvature.along(system, x, {}, directions, at, side_by_side=3)
    flat = curvature.plane(system, x, {}, directions, at, at[:3])
    for i, a in enumerate(at):
        for j, d in enumerate(directions):
            np.testing.assert_allclose(lines[j, i], system.loss(x + a * d, {}, None), rtol=1e-14)
        for j, b in enumerate(at[:3]):
            expected = system.loss(x + a * directions[0] + b * directions[1], {}, None)
            np.testing.assert_allclose(flat[i, j], expected, rtol=1e-14)


def test_the_barrier_between_two_minima_and_within_one():
    system, ends = landscape([0.0, 2.0]), jnp.asarray([[1.0, 0.0], [-1.0, 0.0]])
    between = curvature.interpolation(system, *ends, {})
    np.testing.assert_allclose(between.barrier, 1.0)
    np.testing.assert_allclose(between.losses, ((1 - 2 * between.fractions) ** 2 - 1) ** 2, atol=1e-15)
    convex = curvature.interpolation(landscape([1.0, 2.0], 0.0), *ends, {})
    assert convex.barrier == 0
    assert np.isnan(curvature.interpolation(system, ends[0], ends[1] * jnp.nan, {}).barrier)


def test_saddle_or_valley():
    at = jnp.zeros(40)
    bowl = landscape(np.linspace(0.5, 5, 40), 0.0)
    found = jax.jit(lambda x: curvature.valley(bowl, x, {}, KEY))(at)
    assert (bool(found.valley), bool(found.saddle)) == (True, False)
    np.testing.assert_allclose([found.smallest, found.sharpness], [0.5, 5], atol=0.02)
    bent = landscape(np.r_[np.linspace(0.5, 5, 39), -0.2], 0.0)
    found = jax.jit(lambda x: curvature.valley(bent, x, {}, KEY))(at + 0.1)
    assert (bool(found.valley), bool(found.saddle)) == (False, True)
    np.testing.assert_allclose(found.smallest, -0.2, atol=0.01)
    np.testing.assert_allclose(found.gradient, 0.1 * np.linalg.norm(np.r_[np.linspace(0.5, 5, 39), -0.2]))
    lost = jax.jit(lambda x: curvature.valley(bent, x, {}, KEY))(at * jnp.nan)
    assert not any((lost.valley, lost.saddle))
    short = jax.jit(lambda x: curvature.valley(bowl, x, {}, KEY, max_products=5))(at)
    assert not any((short.valley, short.saddle))


def mixed(params, seed, odd):
    """The same function with hidden units in another order, and with other signs."""
    rng, leaves = np.random.default_rng(seed), jax.tree.map(np.asarray, params)
    layers = leaves["layers"]
    for i in range(len(layers) - 1):
        order = rng.permutation(layers[i]["bias"].size)
        sign = rng.choice([-1.0, 1.0], order.size) if odd else np.ones(order.size)
        layers[i] = {"kernel": layers[i]["kernel"][:, order] * sign, "bias": layers[i]["bias"][order] * sign}
        layers[i + 1] = {**layers[i + 1], "kernel": layers[i + 1]["kernel"][order] * sign[:, None]}
    return jax.tree.map(jnp.asarray, leaves)


@pytest.mark.parametrize(("activation", "odd"), [("relu", False), ("tanh", True)])
def test_the_barrier_to_a_permuted_copy_is_gone_after_alignment(activation, odd):
    system = cj.training(cases.problem(cj.models.mlp([7, 5], activation)), optax.sgd)
    x = jax.jit(lambda x: jax.lax.fori_loop(0, 300, lambda _, x: system.step(x, RATE, None), x))(
        jax.jit(system.init)(KEY, RATE)
    )
    other = x._replace(params=mixed(x.params, 0, odd))
    np.testing.assert_allclose(system.loss(other, RATE, None), system.loss(x, RATE, None), rtol=1e-12)
    barrier = jax.jit(lambda x, y: curvature.interpolation(system, x, y, RATE).barrier)
    assert barrier(x, other) > 0.05
    back = curvature.aligned(system, other, x, RATE, odd=odd)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b), back.x.params, x.params)
    assert barrier(x, back.x) < 1e-12
    assert sorted(back.orders[0]) == list(range(7))


def test_alignment_asks_for_the_order_that_it_cannot_see():
    system = cj.training(cases.problem(), optax.sgd)  # layers by name: head, hidden
    x, y = (system.init(jax.random.key(seed), RATE) for seed in (0, 1))
    with pytest.raises(ValueError, match="the loss went from"):
        curvature.aligned(system, x, y, RATE)
    found = curvature.aligned(system, x, y, RATE, order=["hidden", "head"])
    goal, before, after = (curvature.parameters(system, point)[0] for point in (y, x, found.x))
    assert jnp.linalg.norm(after - goal) < jnp.linalg.norm(before - goal)
    with pytest.raises(ValueError, match="must be two or more layers"):
        curvature.aligned(landscape([1.0]), jnp.ones(1), jnp.ones(1), {})
    with pytest.raises(ValueError, match="some weights are not finite"):
        curvature.aligned(system, jax.tree.map(lambda leaf: leaf * jnp.nan, x), y, RATE, order=["hidden", "head"])


RISE = np.array([0.03, 0.05])


def sharpening(n):
    """L = Σ_i ½ s_i x_i² − a_i s_i: at x = 0 the curvatures s_i rise by η a_i per step."""
    a = jnp.asarray(RISE[:n])

    def loss(w, theta, noise):
        return jnp.sum(0.5 * w[n:] * w[:n] ** 2 - a * w[n:])

    return cj.System(
        init=lambda key, theta: jnp.r_[jnp.zeros(n) + theta["first"], 0.9 * 2 / theta["learning_rate"] + jnp.zeros(n)],
        step=lambda w, theta, noise: w - theta["learning_rate"] * jax.grad(loss)(w, theta, noise),
        loss=loss,
        theta={"learning_rate": 0.5, "first": 0.0},
    )


@pytest.mark.parametrize("n", [1, 2])
def test_the_central_flow_is_the_exact_one_where_it_is_known(n):
    eta, steps = 0.5, 60
    flow = curvature.central_flow(sharpening(n), n)
    probes = {name: cj.probes.metric(f"predicted_{name}") for name in ("loss", "sharpness", "variance")}
    ds = cj.sweep(flow, probes, {"learning_rate": [eta]}, steps=steps, progress=False).squeeze()
    rising = np.minimum(0.9 * 2 / eta + eta * RISE[:n] * np.arange(steps + 1)[:, None], 2 / eta)
    edge = rising >= 2 / eta
    np.testing.assert_allclose(ds.sharpness, rising.max(axis=1), rtol=1e-3)
    settled = np.abs(rising - 2 / eta).min(axis=1) > 1.1 * eta * RISE.max() / 4  # not within the step of arrival
    settled |= edge.all(axis=1)
    variance = (2 * RISE[:n] * edge).sum(axis=1)
    np.testing.assert_allclose(ds.variance[settled], variance[settled], rtol=1e-3, atol=1e-6)
    expected = (-RISE[:n] * rising + RISE[:n] * edge * 2 / eta).sum(axis=1)
    np.testing.assert_allclose(ds.loss[settled], expected[settled], rtol=0, atol=1e-3)


def test_self_stabilisation_predicts_the_two_cycle_of_gradient_descent():
    system, theta = sharpening(1), {"learning_rate": 0.5, "first": 0.0}
    u, at_edge = jnp.asarray([1.0, 0.0]), jnp.asarray([0.0, 4.0])
    found = curvature.self_stabilisation(system, at_edge, theta, u)
    np.testing.assert_allclose([found.alpha, found.beta], [RISE[0], 1.0], rtol=1e-12)
    w = at_edge + found.deviation * u
    np.testing.assert_allclose(system.step(w, theta, None), at_edge - found.deviation * u, rtol=1e-12)
    smoothing = system._replace(loss=lambda w, theta, noise: system.loss(w, theta, noise) + 2 * RISE[0] * w[1])
    assert np.isnan(curvature.self_stabilisation(smoothing, at_edge, theta, u).deviation)


def test_the_central_flow_below_the_edge_is_the_gradient_flow():
    h, eta = np.array([0.1, 0.7, 1.5]), 0.2
    flow = curvature.central_flow(cj.systems.quadratic(list(h)), substeps=8)
    ds = cj.sweep(flow, {"w": cj.probes.weights()}, {"learning_rate": [eta]}, steps=20, progress=False).squeeze()
    exact = ds.w.values[0] * np.exp(-eta * h * np.arange(21)[:, None])
    np.testing.assert_allclose(ds.w, exact, rtol=2e-3)


def test_too_few_directions_are_said_to_be_too_few():
    ds = cj.sweep(
        curvature.central_flow(sharpening(2), 1),
        {"loss": cj.probes.metric("predicted_loss")},
        {"learning_rate": [0.5]},
        steps=60,
        progress=False,
    ).squeeze()
    assert np.isfinite(ds.loss[0])
    assert np.isnan(ds.loss[-1])
    with pytest.raises(ValueError, match="needs a System with a loss and a learning_rate"):
        curvature.central_flow(cases.logistic())
