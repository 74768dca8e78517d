"""The training map: its tangent, its curvature and its exponents against dense computations."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from sklearn.metrics import r2_score

import chaosjax as cj
from chaosjax._losses import r_squared
from chaosjax._optimizer import optimizer_rule


def transition_of(system, theta, steps=3):
    key = jax.random.key(1)
    carry = cj.start(system, {}, key, theta)
    carry, _ = jax.jit(lambda carry: cj.advance(system, {}, carry, 0, theta, key, blocks=steps, stride=1))(carry)
    return cj.Transition(system, jnp.int32(steps), carry.x, theta, key)


@pytest.mark.parametrize("name", cases.OPTIMIZERS)
def test_push_is_the_dense_jacobian(name):
    system = cj.training(cases.problem(), cases.OPTIMIZERS[name])
    theta = {"learning_rate": 0.1}
    transition = transition_of(system, theta)
    u, chart = cj.phase(transition.x)
    dense = jax.jit(jax.jacfwd(lambda u: cj.phase(system.step(chart(u), theta, None))[0]))(u)
    pushed = jax.jit(jax.vmap(transition.push, in_axes=1, out_axes=1))(jnp.eye(u.size))
    np.testing.assert_allclose(pushed, dense, rtol=1e-10, atol=1e-12)


def test_hvp_is_the_dense_hessian():
    system = cj.training(cases.problem(weight_decay=0.1), cases.heavy_ball)
    transition = transition_of(system, {"learning_rate": 0.1})
    flat, unravel = ravel_pytree(transition.params)
    state = transition.x
    loss = jax.jit(lambda p: system.loss(state._replace(params=unravel(p)), transition.theta, None))
    dense = jax.jit(jax.hessian(loss))(flat)
    products = jax.jit(jax.vmap(transition.hvp))(jnp.eye(flat.size))
    np.testing.assert_allclose(products, dense, rtol=1e-9, atol=1e-11)


def test_loss_and_gradient_probes_share_the_step():
    system = cj.training(cases.problem(), optax.sgd)
    theta = {"learning_rate": jnp.float64(0.1)}

    def flops(probes):
        carry = cj.start(system, probes, jax.random.key(0), theta)
        run = jax.jit(lambda c: cj.advance(system, probes, c, 0, theta, jax.random.key(0), blocks=4, stride=1))
        return run.lower(carry).compile().cost_analysis()["flops"]

    probes = {"loss": cj.probes.loss(), "norms": cj.probes.norms(of=("grad",))}
    assert flops(probes) < 1.3 * flops({})  # a gradient of the probes' own would double it


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_exponents_of_descent_on_a_quadratic_are_the_logarithms_of_the_eigenvalues(momentum):
    curvature, rate = jnp.array([3.0, 1.0, 0.2]), 0.5
    problem = cj.Problem(
        init=lambda key, theta: (jax.random.normal(key, (3,)), ()),
        loss=lambda params, state, theta, indices: (0.5 * jnp.sum(curvature * params**2), state),
    )
    optimizer = optax.sgd if momentum is None else cases.heavy_ball
    system = cj.training(problem, optimizer)
    d = 3 if momentum is None else 6
    steps = 4000
    ds = cj.sweep(
        system,
        {"growth": cj.probes.lyapunov(k=d)},
        {"learning_rate": [rate]},
        steps=steps,
        stride=steps,
        progress=False,
    )
    if momentum is None:
        eigenvalues = 1 - rate * curvature
    else:
        # v' = m v + H x, x' = x - rate v'
        H, one = jnp.diag(curvature), jnp.eye(3)
        eigenvalues = jnp.linalg.eigvals(jnp.block([[one - rate * H, -rate * momentum * one], [H, momentum * one]]))
    expected = np.sort(np.log(np.abs(eigenvalues)))[::-1]
    found = ds.growth.isel(learning_rate=0, time=-1).values / steps
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_r_squared_is_that_of_scikit_learn():
    outputs, targets = jnp.asarray(np.random.default_rng(0).normal(size=(2, 7, 3)))
    expected = r2_score(targets, outputs, multioutput="variance_weighted")
    np.testing.assert_allclose(r_squared(outputs, targets), expected, rtol=1e-12)
    assert np.isnan(r_squared(outputs, jnp.ones((7, 3))))


def test_an_optimizer_that_needs_the_loss_function_gets_it():
    system = cj.training(cases.problem(), lambda: optax.lbfgs())
    ds = cj.sweep(system, {"loss": cj.probes.loss()}, {"seed": [0, 1]}, steps=15, progress=False)
    assert bool((ds.loss.isel(time=-1) < 0.5 * ds.loss.isel(time=0)).all())


@pytest.mark.parametrize(
    ("options", "axes", "message"),
    [
        ({"batch_size": 11}, {}, "batch_size=11 must be an integer from 1 to 10, the number of training samples"),
        ({}, {}, "needs a value of learning_rate: give it in axes"),
        ({}, {"learning_rate": [0.1], "nesterov": [0, 1], "momentum": [0.5]}, "run its values as a Hydra multirun"),
        ({}, {"learning_rte": [0.1]}, "did you mean 'learning_rate'"),
    ],
)
def test_bad_input_is_explained(options, axes, message):
    with pytest.raises(ValueError, match=message):
        cj.sweep(cj.training(cases.problem(), optax.sgd, **options), {}, axes, steps=2, progress=False)


def test_what_is_no_optimizer_is_refused():
    with pytest.raises(TypeError, match=r"optimizer=0.1 is no optimizer; give a factory, e.g. optax.sgd, or"):
        optimizer_rule(0.1)
