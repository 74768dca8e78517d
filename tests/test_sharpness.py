"""Sharpness against dense Hessians: its values, and what it says where it has none."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import chaosjax as cj

RATE, FAST = 0.05, 3.0  # the second beyond the edge of stability


def learning(hidden=10, inputs=12, seed=0):
    """Classes that a linear function tells apart."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((40, inputs))
    labels = (x[:, 0] + 0.3 * x[:, 1] > 0).astype(int)
    data = cj.datasets.Dataset(x, labels, x, labels, 2, {"name": "halves"})
    return cj.training(cj.supervised(cj.models.mlp([hidden], activation="tanh"), data), optax.sgd)


def sweep(system, probe, steps, rates=(RATE,), **options):
    return cj.sweep(system, {"s": probe}, {"learning_rate": rates}, steps=steps, progress=False, **options)


def dense(system, steps, rate=RATE):
    """All eigenvalues of the Hessian, largest first, at the times 0 to steps."""
    theta = {"learning_rate": rate}
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), theta)
    _, unravel = ravel_pytree(x.params)
    loss = jax.jit(jax.hessian(lambda p: system.loss(x._replace(params=unravel(p)), theta, None)))
    step, found = jax.jit(lambda x: system.step(x, theta, None)), []
    for _ in range(steps + 1):
        found.append(np.linalg.eigvalsh(loss(ravel_pytree(x.params)[0]))[::-1])
        x = step(x)
    return np.stack(found)


def test_both_ends_of_the_spectrum_are_those_of_the_dense_hessian_at_every_record():
    system, steps = learning(hidden=16, inputs=24), 5  # 434 parameters
    probe = cj.probes.sharpness(k=2, smallest=2, tolerance=1e-8, max_products=120)
    ds, exact = sweep(system, probe, steps).squeeze(), dense(system, steps)
    assert ds.s_converged.values.all()
    assert ds.s_smallest_converged.values.all()
    np.testing.assert_allclose(ds.s, exact[:, :2], rtol=1e-6)
    np.testing.assert_allclose(ds.s_smallest, exact[:, :-3:-1], rtol=1e-6)
    assert (ds.s_residual <= 1e-8 * np.abs(exact).max(axis=1)[:, None] * (1 + 1e-6)).all()


def test_a_warm_start_needs_few_products_and_changes_no_answer_beyond_the_tolerance():
    problem = cj.supervised(cj.models.mlp([16], activation="tanh"), cj.datasets.iris())
    system, steps = cj.training(problem, optax.sgd), 120
    ds, exact = sweep(system, cj.probes.sharpness(), steps).squeeze(), dense(system, steps)
    assert ds.s_converged.values.all()
    np.testing.assert_allclose(ds.s, exact[:, 0], rtol=1e-5)  # the error is of the order of the residual's square
    assert float(ds.s_products.mean()) <= 3.5  # 3 over 200 steps


@pytest.mark.parametrize("most", [3, 12, 50])
def test_what_is_called_converged_is_right_however_few_products_are_allowed(most):
    system, steps = learning(), 30
    probe = cj.probes.sharpness(max_products=most)
    ds, exact = sweep(system, probe, steps, (FAST,)).squeeze("learning_rate"), dense(system, steps, FAST)
    assert exact.max() * FAST / 2 > 1
    error = np.abs(ds.s.values[:, 0] - exact[:, 0])
    assert (ds.s_products <= most).all()
    assert ((error <= 1e-3 * np.abs(exact).max(axis=1)) | ~ds.s_converged.values[:, 0]).all()
    gap = np.abs(exact - ds.s.values).min(axis=1)
    assert (gap <= ds.s_residual.values[:, 0] + 1e-12).all()


def planted(values_of):
    """A quadratic loss whose Hessian has given eigenvalues at time t, and is NaN from the time `end` on."""

    def values(t, theta):
        return jnp.where(t < theta["end"], values_of(t), jnp.nan)

    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 60)))
    return cj.System(
        init=lambda key, theta: {"t": jnp.int32(0), "v": jnp.ones(60)},
        step=lambda x, theta, noise: {"t": x["t"] + 1, "v": x["v"]},
        loss=lambda x, theta, noise: 0.5 * jnp.sum(values(x["t"], theta) * (jnp.asarray(turn) @ x["v"]) ** 2),
        params=lambda x: x["v"],
        theta={"end": 1000.0},
    )


BULK = 0.3 * np.random.default_rng(3).standard_normal(56)
SPECTRA = {
    "degenerate": np.r_[3, 3, 3, -2, BULK],
    "clustered": np.r_[3, 2.9999, 2.999, -2.9999, BULK],
    "negative": -1 - np.abs(np.r_[BULK, BULK[:4]]),
    "flat": np.full(60, 2.0),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_degenerate_clustered_and_negative_spectra_are_found_or_not_called_converged(name):
    values = SPECTRA[name]
    system = planted(lambda t: jnp.asarray(values))
    ds = cj.sweep(system, {"s": cj.probes.sharpness(k=2, smallest=1)}, {"seed": range(4)}, steps=30, progress=False)
    tolerance = 1e-3 * np.abs(values).max()
    for found, flags, exact in (
        (ds.s, ds.s_converged, np.sort(values)[:-3:-1]),
        (ds.s_smallest, ds.s_smallest_converged, np.sort(values)[:1]),
    ):
        assert flags.values.mean() > 0.9
        assert ((np.abs(found - exact) <= tolerance) | ~flags).values.all()


def test_a_cell_that_diverges_leaves_the_others_as_they_are():
    system = planted(lambda t: jnp.asarray(SPECTRA["degenerate"]) * (1 + 0.01 * t))
    clocks = {"steps": 12, "progress": False, "cells_per_batch": 2}
    together, alone = (
        cj.sweep(system, {"s": cj.probes.sharpness(k=2)}, {"end": ends}, **clocks) for ends in ([100.0, 4.0], [100.0])
    )
    dead = together.sel(end=4.0)
    np.testing.assert_array_equal(np.isnan(dead.s).all("eigenvalue"), dead.time >= 4)
    np.testing.assert_array_equal(dead.s_converged.all("eigenvalue"), dead.time < 4)
    np.testing.assert_array_equal(together.s_products.sel(end=100.0), alone.s_products.sel(end=100.0))
    np.testing.assert_allclose(together.s.sel(end=100.0), alone.s.sel(end=100.0), rtol=1e-9)


def test_a_crossing_is_seen_when_it_happens():
    system = planted(lambda t: jnp.concatenate([jnp.array([5.0, -2.0, 1.5]), 4 + 0.1 * t[None], jnp.asarray(BULK)]))
    ds = cj.sweep(system, {"s": cj.probes.sharpness()}, {"seed": range(4)}, steps=24, progress=False)
    exact = np.maximum(5, 4 + 0.1 * ds.time)
    assert ds.s_converged.values.all()
    assert (np.abs(ds.s - exact) <= 1e-3 * exact).all()


def test_float32_finds_the_same_to_its_precision():
    probe = cj.probes.sharpness(tolerance=1e-5)
    found = {}
    for dtype in ("float32", "float64"):
        ds = sweep(cj.training(cases.problem(dtype=dtype), optax.sgd), probe, 1).squeeze()
        assert ds.s.dtype == dtype
        assert ds.s_converged.values.all()
        found[dtype] = ds.s
    np.testing.assert_allclose(found["float32"], found["float64"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "k=0 must be between 1 and max_products=50"),
        ({"k": 4, "smallest": 2, "max_products": 5}, "k=4 must be between 1 and max_products=5 less smallest=2"),
        ({"smallest": -1}, "smallest=-1 must be an integer of at least 0"),
    ],
)
def test_impossible_numbers_of_eigenvalues_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        cj.probes.sharpness(**options)
