"""Which steps have a tangent, and the refusal of those that have none."""

import cases
import jax
import jax.numpy as jnp
import optax
import pytest

import chaosjax as cj
from chaosjax._jumps import jumps

U = jnp.linspace(-1.0, 1.0, 5)
INDEX = jnp.arange(5)


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda u: u[jnp.argmax(u)] * u, ("argmax",)),
        (lambda u: u - 0.1 * jnp.sign(u), ("sign",)),
        (lambda u: jnp.round(u), ("round",)),
        (lambda u: u + u.astype(int), ("conversion to an integer",)),
        (lambda u: jax.lax.scan(lambda c, _: (c + jnp.sign(c), None), u, None, length=2)[0], ("sign",)),
        (lambda u: jax.lax.cond(u[0] > 0, lambda u: u, lambda u: jnp.sign(u), u), ("sign",)),
        (lambda u: jnp.where(u > 0, u, 0.1 * u) + jnp.abs(u) + jnp.mod(u, 1.0), ()),
        (lambda u: jnp.sort(u) + jnp.max(u) + jax.nn.relu(u) + jnp.clip(u, -1, 1), ()),
        (lambda u: u * jnp.sign(INDEX.astype(float)) + jnp.argmax(INDEX), ()),  # not of u
    ],
)
def test_what_jumps(function, found):
    assert jumps(function, U) == found


@pytest.mark.parametrize("optimizer", [optax.lion, optax.sign_sgd])
@pytest.mark.parametrize("probe", [cj.probes.lyapunov(), cj.probes.gali()])
def test_the_tangent_of_a_signed_update_is_refused(optimizer, probe):
    system = cj.training(cases.problem(), optimizer)
    with pytest.raises(ValueError, match=r"probe 'g': the step is not differentiable: sign .* ensemble or benettin"):
        cj.sweep(system, {"g": probe}, {"learning_rate": [0.1]}, steps=2, progress=False)


def test_piecewise_accepts_it():
    """x' = x/2 + sign(x): the smooth pieces contract by a half."""
    system = cj.System(lambda key, theta: jnp.ones(()), lambda x, theta, noise: x / 2 + jnp.sign(x))
    ds = cj.sweep(system, {"g": cj.probes.lyapunov(piecewise=True)}, {"seed": [0]}, steps=4, progress=False)
    assert float(ds.g.sum()) == pytest.approx(-4 * 0.6931471805599453)


def test_functions_of_the_tangent_refuse_it_too():
    system = cj.System(lambda key, theta: U, lambda x, theta, noise: x + jnp.sign(x))
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="not differentiable: sign"):
        cj.tangent.singular_vectors(system, U, {}, key, 0, 3)
    with pytest.raises(ValueError, match="not differentiable: sign"):
        cj.tangent.covariant_vectors(system, key, {}, k=2, transient=4, steps=4, backward=4)


@pytest.mark.parametrize("name", ["relu", "gelu", "leaky_relu", "elu"])
def test_usual_activations_are_no_jumps(name):
    system = cj.training(cases.problem(cj.models.mlp([3], activation=name)), optax.adam)
    x = system.init(jax.random.key(0), {"learning_rate": 0.1})
    u, chart = cj.phase(x)
    assert jumps(lambda u: cj.phase(system.step(chart(u), {"learning_rate": 0.1}, None))[0], u) == ()
