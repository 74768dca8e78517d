"""Tangent frames that begin late or are made anew: against direct computations, and what they say they cannot know."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr

import chaosjax as cj
from chaosjax import stats

LONG_CALM = 60


def sweep(system, probes, steps, axes=None, **options):
    return cj.sweep(system, probes, axes or {}, steps=steps, progress=False, **options).squeeze()


def turning():
    """Three coordinates that drift past each other, on an orbit of the logistic map beside them."""
    shear = jnp.asarray([[1.1, 0.3, 0.0], [-0.2, 0.9, 0.1], [0.0, 0.4, 0.5]])

    def step(x, theta, noise):
        return {"y": 3.7 * x["y"] * (1 - x["y"]), "v": (shear * (0.5 + x["y"])) @ x["v"]}

    return cj.System(lambda key, theta: {"y": jnp.asarray(0.3), "v": jnp.ones(3)}, step, theta={})


def jacobians(system, steps):
    u, chart = cj.phase(system.init(jax.random.key(0), {}))
    step = jax.jit(lambda u: cj.phase(system.step(chart(u), {}, None))[0])
    jacobian, found = jax.jit(jax.jacfwd(step)), []
    for _ in range(steps):
        found.append(np.asarray(jacobian(u)))
        u = step(u)
    return found


def frames(name, k, d):
    """The random frames that a probe of that name makes, one after the other, as rows."""
    key = jax.random.fold_in(jax.random.key(0), zlib.crc32(name.encode()))
    count = 0
    while True:
        own = key if count == 0 else jax.random.fold_in(key, count)
        yield np.linalg.qr(np.asarray(jax.random.normal(own, (k, d))).T)[0].T
        count += 1


def pushed(J, Q):
    Q, R = np.linalg.qr(J @ Q.T)
    return Q.T, np.log(np.abs(np.diag(R)))


@pytest.mark.parametrize("every", [1, 3])
def test_one_frame_that_is_replaced_is_the_product_of_jacobians_from_there(every):
    steps, k, reseed = 14, 2, 5
    probe = cj.probes.lyapunov(k, every, reseed=reseed, staggered=False)
    found, made = sweep(turning(), {"g": probe}, steps, stride=2).g, frames("g", k, 4)
    growth, Q = [np.zeros(k)], next(made)
    for t, J in enumerate(jacobians(turning(), steps)):
        Q, g = pushed(J, Q)
        growth.append(g)
        Q = next(made) if (t + 1) % reseed == 0 else Q
    expected = np.array(growth)[1:].reshape(-1, 2, k).sum(1)
    np.testing.assert_allclose(found[1:], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("every", [1, 3])
def test_of_two_frames_the_older_is_recorded(every):
    steps, k, reseed, start = 21, 2, 5, 3
    probe = cj.probes.lyapunov(k, every, start=start, reseed=reseed)
    ds, made = sweep(turning(), {"g": probe}, steps, stride=1 if every == 1 else 3), frames("g", k, 4)
    growth, older, younger = [np.zeros(k)], next(made), next(made)
    for t, J in enumerate(jacobians(turning(), steps)[start:]):
        older, g = pushed(J, older)
        younger, _ = pushed(J, younger)
        growth.append(g)
        if (t + 1) % reseed == 0:
            older, younger = younger, next(made)
    stride = int(ds.time[1])
    sums = np.cumsum(growth, axis=0)[:: stride if every > 1 else 1]
    late = ds.sel(time=slice(start, None))
    np.testing.assert_allclose(late.g[1:], np.diff(sums, axis=0)[: len(late.time) - 1], rtol=0, atol=1e-10)
    assert np.isnan(ds.g.sel(time=slice(0, start - 1))).all()
    assert not ds.g_known.sel(time=slice(0, start + reseed)).any()


def test_a_frame_that_begins_late_is_the_delayed_one():
    late = {"g": cj.probes.lyapunov(2, start=4)}
    delayed = {"g": cj.probes.delayed(4, cj.probes.lyapunov(2))}
    xr.testing.assert_identical(sweep(turning(), late, 9).g, sweep(turning(), delayed, 9).g)


def calm(d=20):
    """A map of d independent coordinates: all but neutral, one damped and then unstable."""
    others = jnp.linspace(0.9, 1.0, d - 1)

    def step(x, theta, noise):
        first = jnp.where(x["t"] < LONG_CALM, 0.1, 2.0)
        return {"t": x["t"] + 1, "v": jnp.concatenate([first[None], others]) * x["v"]}

    return cj.System(lambda key, theta: {"t": jnp.int32(0), "v": jnp.ones(d)}, step, theta={})


def test_what_an_old_frame_cannot_know_is_flagged_and_a_younger_one_sees_it():
    probes = {
        "old": cj.probes.lyapunov(),
        "watched": cj.probes.lyapunov(witness=10),
        "young": cj.probes.lyapunov(reseed=10),
        "late": cj.probes.lyapunov(start=LONG_CALM),
    }
    stop, exact = LONG_CALM + 40, np.log(2)
    ds = sweep(calm(), probes, stop)
    window: dict = {"start": LONG_CALM, "stop": stop}
    assert stats.finite_time_exponents(ds.old, **window) < 0.01 * exact
    assert np.isnan(stats.finite_time_exponents(ds.watched, **window, known=ds.watched_known))
    assert stats.finite_time_exponents(ds.watched, 20, LONG_CALM, known=ds.watched_known) == pytest.approx(0, abs=0.01)
    late = stats.finite_time_exponents(ds.young, LONG_CALM + 20, stop, known=ds.young_known)
    assert float(late) == pytest.approx(exact, rel=1e-4)
    np.testing.assert_allclose(ds.late.sel(time=slice(LONG_CALM + 15, None)), exact, rtol=1e-3)
    # the first frame is unknown until it has a younger beside it that has aligned
    np.testing.assert_array_equal(ds.young_known.sel(time=slice(0, 10)), False)
    np.testing.assert_array_equal(ds.young_known.sel(time=slice(11, LONG_CALM)), True)
    unknown = ds.time[~ds.young_known & (ds.time > 11)]
    assert unknown.size
    assert ((unknown > LONG_CALM + 5) & (unknown <= LONG_CALM + 10)).all()


def chebyshev():
    """20 points of a Chebyshev polynomial and a small tanh net that gradient descent takes to the edge of stability."""
    x = np.linspace(-1, 1, 20)[:, None]
    data = cj.datasets.Dataset(x, np.cos(4 * np.arccos(x)), x, np.cos(4 * np.arccos(x)))
    model = cj.models.mlp([50], activation="tanh", init="lecun", init_scale=1.5)
    return cj.training(cj.supervised(model, data, loss="squared_error"), optax.sgd)


def test_the_edge_of_stability_is_hidden_from_a_frame_of_the_start():
    """Before the edge the sharpest direction is damped below rounding: what grows there later is missed."""
    edge, stop = 1800, 2200
    probes = {
        "old": cj.probes.lyapunov(),
        "watched": cj.probes.lyapunov(witness=100),
        "young": cj.probes.lyapunov(reseed=100),
        "late": cj.probes.lyapunov(start=edge),
        "sharpness": cj.probes.every(100, cj.probes.sharpness(max_products=20)),
    }
    ds = sweep(chebyshev(), probes, stop, {"learning_rate": [0.2]}, stride=50)
    level = 0.2 / 2 * ds.sharpness.dropna("time")
    assert (level.sel(time=slice(300, 1700)) < 1).all()
    assert level.sel(time=slice(edge, stop)).max() > 1
    damping = np.log(np.abs(1 - 2 * level.sel(time=slice(100, 1700)))).sum() * 100
    assert damping < -100
    window: dict = {"start": edge, "stop": stop}
    old, young, late, watched = (
        (stop - edge) * float(stats.finite_time_exponents(ds[name], **window).squeeze())
        for name in ("old", "young", "late", "watched")
    )
    assert old < 1
    assert min(young, late) > 15
    assert watched < 1
    known = stats.finite_time_exponents(ds.watched, **window, known=ds.watched_known)
    assert np.isnan(known).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reseed": 1}, "reseed=1 must be an integer of at least 2"),
        ({"witness": 0}, "witness=0 must be an integer of at least 2"),
        ({"reseed": 5, "witness": 5}, "reseed=5 and witness=5: give one"),
        ({"start": -1}, "start=-1 must be an integer from 0"),
    ],
)
def test_impossible_schedules_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        cj.probes.lyapunov(**options)
