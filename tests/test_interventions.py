"""Interventions on training against the plain training they contain, dense matrices and counts."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import chaosjax as cj
from experiments.questions import interventions

CALM, ETA, STEPS, K = 0.3, 0.8, 12, 2
THETA = {"learning_rate": jnp.asarray(ETA), "calm_rate": jnp.asarray(CALM)}


@pytest.fixture(scope="module")
def system():
    model = cj.models.mlp([3], activation="sigmoid", init="normal")
    return cj.training(cj.supervised(model, cj.datasets.iris_danovski()), optax.sgd)


def orbit(system, theta, steps=STEPS):
    x = jax.jit(system.init)(jax.random.key(0), theta)
    return jax.jit(lambda x: jax.lax.scan(lambda x, _: (system.step(x, theta, None), x), x, length=steps)[1])(x)


def weights(states):
    return np.asarray(jax.vmap(lambda x: cj.phase(x)[0])(states))


def hessian(system, u, chart):
    return np.asarray(jax.jit(jax.hessian(lambda u: system.loss(chart(u), {}, None)))(u))


@pytest.mark.parametrize(("arm", "rate"), [("chaotic", ETA), ("calm", CALM)])
def test_without_a_difference_of_rates_it_is_plain_training(system, arm, rate):
    place = [name for name, *_ in interventions.ARMS].index(arm)
    split = orbit(interventions.two_rates(system, CALM, K), {**THETA, "arm": jnp.asarray(float(place))})
    plain = orbit(system, {"learning_rate": jnp.asarray(rate)})
    np.testing.assert_allclose(weights(split.point), weights(plain), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("basis", interventions.BASES)
def test_a_step_leaves_out_what_dense_projections_leave_out(system, basis):
    names = [name for name, *_ in interventions.ARMS]
    out = interventions.two_rates(system, CALM, K)
    theta = {**THETA, "arm": jnp.asarray(float(names.index(f"{basis}: out")))}
    x = jax.jit(out.init)(jax.random.key(0), theta)
    x = x._replace(expanding=x.expanding._replace(growth=jnp.asarray([0.2, 0.02])))  # counts 1 and 0.4
    u, chart = cj.phase(x.point)
    gradient = np.asarray(jax.jit(jax.grad(lambda u: system.loss(chart(u), {}, None)))(u))
    rows = {"expanding": x.expanding.vectors, "random": x.random, "sharpest": x.sharpest[:K]}[basis]
    kept = np.eye(u.size) - np.asarray(rows).T @ np.diag([1, 0.4]) @ np.asarray(rows)
    y = jax.jit(out.step)(x, theta, None)
    np.testing.assert_allclose(cj.phase(y.point)[0], u - ETA * kept @ gradient, rtol=1e-12, atol=1e-13)
    tangent = (np.eye(u.size) - ETA * kept @ hessian(system, u, chart)) @ np.asarray(x.perturbation)
    assert float(y.grown) == pytest.approx(np.log(np.linalg.norm(tangent)), abs=1e-12)


def test_the_frames_are_the_leading_vectors_of_dense_matrices(system):
    states = orbit(interventions.two_rates(system, CALM, K), {**THETA, "arm": jnp.asarray(0.0)}, 60)
    first = jax.tree.map(lambda leaf: leaf[0], states.point)
    _, chart = cj.phase(first)
    points = weights(states.point)
    product = np.asarray(states.expanding.vectors[0]).T
    matrices = jax.jit(jax.vmap(jax.hessian(lambda u: system.loss(chart(u), {}, None))))(jnp.asarray(points))
    for matrix in np.asarray(matrices)[:-1]:
        product, _ = np.linalg.qr(product - ETA * matrix @ product)
    found = np.asarray(states.expanding.vectors[-1])
    np.testing.assert_allclose(np.abs(np.sum(found * product.T, 1)), 1, atol=1e-9)
    _, vectors = np.linalg.eigh(matrices[-1])
    inside = np.linalg.norm(np.asarray(states.sharpest[-1]) @ vectors[:, : -K - 1 : -1], axis=0)
    assert inside.min() > 0.95


def test_noise_is_as_large_as_the_part_that_expands_and_absent_without(system):
    shaken = interventions.shaken(system, CALM, K)
    x = jax.jit(shaken.init)(jax.random.key(0), THETA)
    step = jax.jit(shaken.step)
    x = x._replace(expanding=x.expanding._replace(growth=jnp.asarray([0.1, 0.0])))
    u, chart = cj.phase(x.point)
    gradient = np.asarray(jax.grad(lambda u: system.loss(chart(u), {}, None))(u))
    size = ETA * abs(np.asarray(x.expanding.vectors[0]) @ gradient)
    for arm, expected in ((0, 0.0), (1, size), (2, size)):
        y = step(x, {**THETA, "arm": jnp.asarray(float(arm))}, None)
        kick = np.asarray(cj.phase(y.point)[0] - u) + CALM * gradient
        assert np.linalg.norm(kick) == pytest.approx(expected, abs=1e-12)
        if arm == 2:
            assert np.linalg.norm(np.asarray(x.own.vectors) @ kick) == pytest.approx(size, rel=1e-9)
    np.testing.assert_allclose(cj.phase(y.chaotic)[0], u - ETA * gradient, rtol=1e-12, atol=1e-13)


def test_rates_change_where_the_loss_passes_the_levels(system):
    calm = orbit(system, {"learning_rate": jnp.asarray(CALM)}, 40)
    early, late = (jax.tree.map(lambda leaf, t=t: leaf[t], calm) for t in (8, 20))
    levels = float(system.loss(early, {}, None)), float(system.loss(late, {}, None))
    switched = interventions.switched(system, CALM, levels)
    theta = {**THETA, "arm": jnp.asarray(float([name for name, *_ in interventions.ORDERS].index("a burst of chaos")))}
    states = orbit(switched, theta, 40)
    points = weights(states.point)
    _, chart = cj.phase(jax.tree.map(lambda leaf: leaf[0], states.point))
    losses, gradients = jax.vmap(jax.value_and_grad(lambda u: system.loss(chart(u), {}, None)))(jnp.asarray(points))
    rates = np.linalg.norm(np.diff(points, axis=0), axis=1) / np.linalg.norm(np.asarray(gradients), axis=1)[:-1]
    fallen = np.minimum.accumulate(np.asarray(losses))[:-1]
    assert fallen[0] > levels[0] > levels[1] > fallen[-1]
    expected = np.where((fallen <= levels[0]) & (fallen > levels[1]), ETA, CALM)
    np.testing.assert_allclose(rates, expected, rtol=1e-9)
