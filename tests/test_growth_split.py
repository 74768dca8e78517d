"""From curvature to chaos: the split of growth against dense Hessians."""

import cases
import jax
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import chaosjax as cj

RATES = (0.5, 6.0)  # the second beyond the edge of stability
STEPS = 12
PARTS = ("sharp", "calm", "negative", "state")
AVAILABLE = ("available_sharp", "available_negative", "turning")


def learning(dtype=None):
    """Classes that a linear function tells apart."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 6))
    labels = (x[:, 0] + 0.3 * x[:, 1] > 0).astype(int)
    data = cj.datasets.Dataset(x, labels, x, labels, 2, {"name": "halves"})
    return cj.training(cj.supervised(cj.models.mlp([6], activation="tanh"), data, dtype=dtype), optax.sgd)


def sweep(system, probe, steps=STEPS, rates=RATES, **options):
    return cj.sweep(system, {"g": probe}, {"learning_rate": rates}, steps=steps, progress=False, **options).squeeze()


def hessians(system, rate, steps):
    theta = {"learning_rate": rate}
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), theta)
    _, unravel = ravel_pytree(x.params)
    dense = jax.jit(jax.hessian(lambda p: system.loss(x._replace(params=unravel(p)), theta, None)))
    step, found = jax.jit(lambda x: system.step(x, theta, None)), []
    for _ in range(steps):
        found.append(np.asarray(dense(ravel_pytree(x.params)[0])))
        x = step(x)
    return found


def split_by_hand(system, rate, steps, v):
    """The same from all eigenvectors, one step after the other; and the growth of ``∏ (1 − ηH(t))`` at the end."""
    rows, product = [], np.eye(v.size)
    first = v
    for H in hessians(system, rate, steps):
        values, vectors = np.linalg.eigh(H)
        parts = (vectors.T @ v) ** 2 * ((1 - rate * values) ** 2 - 1)
        image, growth = v - rate * H @ v, np.linalg.norm(v - rate * H @ v)
        share = np.log(growth) / parts.sum()
        classes = [values > 2 / rate, (values >= 0) & (values <= 2 / rate), values < 0]
        top, bottom = np.abs(1 - rate * values[[-1, 0]])
        ends = [np.log(max(top, 1)) * (top >= bottom), np.log(max(bottom, 1)) * (top < bottom)]
        made = [share * parts[inside].sum() for inside in classes]
        rows.append([np.log(growth), *made, 0.0, *ends, np.log(growth) - sum(ends)])
        product, v = (np.eye(v.size) - rate * H) @ product, image / growth
    return np.array(rows), np.log(np.linalg.norm(product @ first))


def first_vector(system, probe):
    carry = cj.start(system, {"g": probe}, jax.random.key(0), {"learning_rate": RATES[0]})
    return np.asarray(carry.memories["g"].frame.vectors[0])


def test_the_parts_of_growth_are_those_of_all_eigenvectors_and_add_up_to_it():
    system, probe = learning(), cj.probes.growth_split(products=1000, tolerance=1e-9, max_products=56)
    ds = sweep(system, probe)
    for rate in RATES:
        here = ds.sel(learning_rate=rate)
        exact, whole = split_by_hand(system, rate, STEPS, first_vector(system, probe))
        names = ("g", *(f"g_{part}" for part in (*PARTS, *AVAILABLE)))
        for name, expected in zip(names, exact.T, strict=True):
            np.testing.assert_allclose(here[name][1:], expected, rtol=0, atol=1e-10, err_msg=name)
        assert float(here.g.sum()) == pytest.approx(whole, abs=1e-10)
        assert here.g_converged.all()
        assert here.g_unresolved.max() < 1e-3
    beyond = ds.sel(learning_rate=RATES[1]).sum("time")
    assert beyond.g_sharp > 0.1
    assert beyond.g_negative > 0
    assert beyond.g_available_sharp > 1
    assert beyond.g_turning < 0


def test_the_sum_is_exact_for_few_products_and_the_parts_are_within_their_uncertainty():
    system = learning()
    exact, few = (sweep(system, cj.probes.growth_split(products=n, turning=False), stride=4) for n in (1000, 8))
    for ds in (exact, few):
        total = sum(ds[f"g_{part}"] for part in PARTS)
        np.testing.assert_allclose(total, ds.g, rtol=0, atol=1e-12)
        assert "g_turning" not in ds
    for part in PARTS:
        error = np.abs(few[f"g_{part}"] - exact[f"g_{part}"])
        assert (error <= 2 * few.g_unresolved + 1e-12).all(), part
    assert (few.g_sharp >= -1e-12).all()
    assert (few.g_negative >= -1e-12).all()
    assert (few.g_calm <= 1e-12).all()


def test_float32_gives_the_parts_to_its_precision():
    system, probe = learning("float32"), cj.probes.growth_split(products=56)
    ds, rate = sweep(system, probe, steps=1, rates=RATES[1:]), RATES[1]
    exact, _ = split_by_hand(system, rate, 1, first_vector(system, probe).astype(float))
    assert ds.g.dtype == np.float32
    for name, expected in zip(("g", *(f"g_{part}" for part in (*PARTS, *AVAILABLE))), exact[0], strict=True):
        np.testing.assert_allclose(ds[name][1], expected, rtol=0, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(sum(ds[f"g_{part}"] for part in PARTS), ds.g, rtol=0, atol=1e-6)


def test_in_an_eigenframe_that_stays_nothing_is_lost_by_turning():
    """A quadratic loss: the vector aligns with the most expanding eigenvector, and all of its growth is of one kind."""
    values, rate = np.array([5.0, 1.0, 0.1, -0.5]), 0.5
    system = cj.System(
        init=lambda key, theta: jax.numpy.ones(4),
        step=lambda x, theta, noise: x - theta["learning_rate"] * values * x,
        loss=lambda x, theta, noise: 0.5 * jax.numpy.sum(values * x**2),
        theta={"learning_rate": rate},
    )
    ds = sweep(system, cj.probes.growth_split(), steps=800, rates=(rate, 0.05), stride=400).isel(time=-1)
    sharp, negative = ds.sel(learning_rate=rate), ds.sel(learning_rate=0.05)
    np.testing.assert_allclose([sharp.g, sharp.g_sharp, sharp.g_available_sharp], 400 * np.log(1.5), rtol=1e-9)
    np.testing.assert_allclose([negative.g_negative, negative.g_available_negative], 400 * np.log(1.025), rtol=1e-4)
    assert abs(sharp.g_turning) < 1e-9
    assert sharp.g_available_negative == negative.g_available_sharp == 0


def test_of_a_map_with_a_state_the_parts_add_up_and_the_second_split_is_missing():
    """Heavy ball: what the curvature of a class does to the growth, through the whole step."""
    system = cj.training(cases.problem(), cases.heavy_ball)
    theta = {"learning_rate": 0.3, "weight_decay": 0.01}
    probe = cj.probes.growth_split(products=100, threshold=lambda theta: 3.8 / theta["learning_rate"])
    ds = sweep(system, probe, steps=5, rates=(0.3,))
    np.testing.assert_allclose(sum(ds[f"g_{part}"] for part in PARTS), ds.g, rtol=0, atol=1e-12)
    assert ds.g_turning[1:].isnull().all()
    carry = jax.jit(lambda: cj.start(system, {"g": probe}, jax.random.key(0), theta))()
    v = np.asarray(carry.memories["g"].frame.vectors[0])
    u, chart = cj.phase(carry.x)
    J = np.asarray(jax.jit(jax.jacfwd(lambda u: cj.phase(system.step(chart(u), theta, None))[0]))(u))
    p = v.size // 2
    weights = ravel_pytree(carry.x.params)[0]
    unravel = ravel_pytree(carry.x.params)[1]
    loss = system.loss
    assert loss is not None
    H = jax.jit(jax.hessian(lambda w: loss(carry.x._replace(params=unravel(w)), theta, None)))(weights)
    values, vectors = np.linalg.eigh(H)
    place = np.asarray(cj.phase(carry.x._replace(params=unravel(jax.numpy.arange(1.0, p + 1))))[0])
    rows = [int(np.flatnonzero(place == i + 1)[0]) for i in range(p)]
    growth, whole = np.log(np.linalg.norm(J @ v)), J @ v + v
    for part, inside in {"negative": values < 0, "sharp": values > 3.8 / 0.3}.items():
        own = np.zeros_like(v)
        own[rows] = vectors[:, inside] @ (vectors[:, inside].T @ v[rows])
        expected = growth * ((J @ own - own) @ whole) / ((J @ v) @ (J @ v) - 1)
        np.testing.assert_allclose(ds[f"g_{part}"][1], expected, rtol=0, atol=1e-10)
    state = v.copy()
    state[rows] = 0
    expected = growth * ((J @ state - state) @ whole) / ((J @ v) @ (J @ v) - 1)
    np.testing.assert_allclose(ds.g_state[1], expected, rtol=0, atol=1e-10)


def test_it_follows_the_frame_of_lyapunov_and_says_what_it_cannot_know():
    system = learning()
    split = cj.probes.growth_split(start=4, reseed=3, turning=False, products=4)
    both = (cj.probes.lyapunov(start=4, reseed=3), split)
    one, other = (sweep(system, probe, rates=RATES[:1]) for probe in both)
    np.testing.assert_allclose(other.g, one.g.squeeze(), rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(other.g_known, one.g_known.squeeze())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cj.probes.growth_split(products=2), "products=2 must be an integer of at least 3"),
        (
            lambda: cj.sweep(cases.linear(), {"g": cj.probes.growth_split()}, {"seed": [0]}, steps=2),
            "no learning_rate to make 2 / learning_rate of: give a threshold",
        ),
    ],
)
def test_what_cannot_be_split_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
