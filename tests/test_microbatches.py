"""Samples taken a part at a time: the same training to rounding, in the memory of one part."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from jax.flatten_util import ravel_pytree

import chaosjax as cj
from chaosjax import models, probes

AXES = {"learning_rate": [0.1, 0.4], "seed": [0, 1]}
PROBES = {
    "loss": probes.loss(),
    "growth": probes.lyapunov(k=2),
    "copies": probes.ensemble(copies=2, radius=1e-6),
    "accuracy": probes.metric("test_accuracy"),
    "score": probes.metric("train_loss"),
}
ROUNDING = {"loss": 1e-11, "growth": 1e-8, "copies": 1e-5, "accuracy": 1e-12, "score": 1e-11}


def problem(microbatch=None, dtype=None, samples=43):
    inputs = np.random.default_rng(0).normal(size=(samples, 5))
    labels = (inputs[:, 0] * inputs[:, 1] > 0).astype(int)
    data = cj.datasets.arrays(inputs, labels, test=10, name="quadrants")
    model = models.mlp(widths=(6,), activation="tanh")
    return cj.supervised(model, data, weight_decay=0.01, dtype=dtype, microbatch=microbatch)


def run(microbatch=None, names=tuple(PROBES), optimizer=optax.sgd, **options):
    system = cj.training(problem(microbatch), optimizer, **options)
    return cj.sweep(system, {name: PROBES[name] for name in names}, AXES, steps=20, stride=5, progress=False)


@pytest.mark.parametrize(("dtype", "rtol"), [("float64", 1e-12), ("float32", 2e-5)])
@pytest.mark.parametrize("microbatch", [1, 4])
def test_loss_gradient_and_curvature_are_those_of_all_samples(microbatch, dtype, rtol):
    whole, parted = problem(dtype=dtype), problem(microbatch, dtype)
    params, state = whole.init(jax.random.key(0), {})
    flat, unravel = ravel_pytree(params)

    def derivatives(problem):
        def loss(w):
            return problem.loss(unravel(w), state, {}, None)[0]

        def both(w):
            return *jax.jvp(loss, (w,), (jnp.ones_like(w),)), jax.grad(loss)(w), jax.hessian(loss)(w)

        return jax.jit(both)(flat)

    for ours, reference in zip(derivatives(parted), derivatives(whole), strict=True):
        np.testing.assert_allclose(ours, reference, rtol=rtol, atol=rtol)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, tuple(PROBES)),
        ({"batch_size": 7}, ("loss", "growth", "score")),
        ({"optimizer": cases.heavy_ball}, ("loss", "copies")),
    ],
)
def test_a_sweep_is_that_of_all_samples_to_rounding(options, names):
    whole, parted = run(names=names, **options), run(3, names, **options)
    for name in names:
        np.testing.assert_allclose(parted[name], whole[name], rtol=ROUNDING[name], atol=1e-12, err_msg=name)
    if names == tuple(PROBES):  # beside copies, the step is not computed along with the tangents
        np.testing.assert_allclose(run(3, ["growth"])["growth"], parted["growth"], rtol=1e-9, atol=1e-13)


def test_push_is_the_dense_jacobian():
    system = cj.training(problem(4), optax.adam)
    theta = {"learning_rate": 0.1}
    key = jax.random.key(1)
    x = cj.start(system, {}, key, theta).x
    x = jax.jit(lambda x: system.step(x, theta, None))(x)
    transition = cj.Transition(system, jnp.int32(1), x, theta, key)
    u, chart = cj.phase(x)
    dense = jax.jit(jax.jacrev(lambda u: cj.phase(system.step(chart(u), theta, None))[0]))(u)
    pushed = jax.jit(transition.pushed)(jnp.eye(u.size)).T
    np.testing.assert_allclose(pushed, dense, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(jax.jit(transition.push)(jnp.ones(u.size)), dense.sum(axis=1), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("tangents", [0, 2])
def test_a_step_needs_the_memory_of_a_part(tangents):
    def bytes_of(microbatch):
        system = cj.training(problem(microbatch, samples=4010), optax.sgd)
        theta, key = {"learning_rate": 0.1}, jax.random.key(0)
        watched = {"growth": probes.lyapunov(k=tangents)} if tangents else {}
        carry = cj.start(system, watched, key, theta)
        run = jax.jit(lambda carry: cj.advance(system, watched, carry, 0, theta, key, blocks=2, stride=1))
        return run.lower(carry).compile().memory_analysis().temp_size_in_bytes

    assert bytes_of(40) < bytes_of(None) / 3


def test_what_it_cannot_do_is_refused(tmp_path):
    for size in (0, 34, 2.5):
        with pytest.raises((ValueError, TypeError), match="microbatch"):
            problem(size)
    data = cases.dataset()

    class Normalised(nnx.Module):
        def __init__(self, rngs):
            self.inner = nnx.Linear(data.train_inputs.shape[1], 2, rngs=rngs)
            self.norm = nnx.BatchNorm(2, rngs=rngs)

        def __call__(self, x):
            return self.norm(self.inner(x))

    with pytest.raises(ValueError, match="carries a state, such as batch statistics"):
        cj.supervised(lambda rngs: Normalised(rngs), data, microbatch=2)
    with pytest.raises(ValueError, match=r"microbatch: .* give one"):
        cj.supervised(models.mlp(widths=(3,)), data, microbatch=2, sample_devices=2)


def test_the_size_is_part_of_a_results_identity(tmp_path):
    def stored(microbatch):
        system = cj.training(problem(microbatch), optax.sgd)
        return cj.sweep(system, {}, AXES, steps=4, store=tmp_path / "a.zarr", resume=True, progress=False)

    stored(3)
    with pytest.raises(ValueError, match="microbatch"):
        stored(4)
