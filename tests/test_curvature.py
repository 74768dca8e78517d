"""Curvature matrices, traces and spectral densities against dense matrices and their eigenvalues."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import xarray as xr
from jax.flatten_util import ravel_pytree

import chaosjax as cj
from chaosjax import curvature, stats

RATE = {"learning_rate": 0.4}
SOME = np.array([0, 2, 3, 7])


def learning(loss="cross_entropy", **options):
    system = cj.training(cases.problem(loss=loss, **options), optax.sgd)
    return system, system.init(jax.random.key(3), RATE)


def matrix(make, system, x, samples=None):
    unit = jnp.eye(curvature.parameters(system, x)[0].size)
    return np.asarray(jax.jit(lambda x: jax.vmap(make(system, x, RATE, samples))(unit))(x))


def direct(loss, samples):
    """H, G, F and the empirical F of the 2-3-2 network, from Jacobians and sums over samples and classes."""
    data, params = cases.dataset(), learning(loss)[1].params
    inputs, targets = jnp.asarray(data.train_inputs)[samples], jnp.eye(2)[data.train_targets[samples]]
    w, unravel = ravel_pytree(params)

    def output(w, i):
        return cases.network.apply(unravel(w), inputs[i][None])[0]

    def of_sample(f, y):
        return -jnp.sum(y * jax.nn.log_softmax(f)) if loss == "cross_entropy" else 0.5 * jnp.sum((f - y) ** 2)

    def parts(w, i):
        J, f = jax.jacobian(output)(w, i), output(w, i)
        slopes = jax.vmap(lambda y: J.T @ jax.grad(of_sample)(f, y))(jnp.eye(2))
        F = jnp.einsum("k,ki,kj->ij", jax.nn.softmax(f), slopes, slopes) if loss == "cross_entropy" else J.T @ J
        g = J.T @ jax.grad(of_sample)(f, targets[i])
        H = jax.hessian(lambda w: of_sample(output(w, i), targets[i]) + 0.005 * w @ w)(w)
        return H, J.T @ jax.hessian(of_sample)(f, targets[i]) @ J, F, jnp.outer(g, g)

    every = jax.jit(jax.vmap(parts, (None, 0)))(w, jnp.arange(len(samples)))
    return [np.mean(part, axis=0) for part in every]


@pytest.mark.parametrize("loss", ["cross_entropy", "squared_error"])
def test_matrices_are_those_made_of_jacobians_on_all_samples_and_on_some(loss):
    system, x = learning(loss)
    for samples, chosen in ((np.arange(10), None), (SOME, jnp.asarray(SOME))):
        H, G, F, empirical = direct(loss, samples)
        expected = {"hessian": H, "gauss_newton": G, "residual": H - G, "fisher": F, "empirical_fisher": empirical}
        for name, dense in expected.items():
            found = matrix(curvature.OPERATORS[name], system, x, chosen)
            np.testing.assert_allclose(found, dense, rtol=0, atol=1e-13, err_msg=name)


def test_parameters_of_a_phase_point_and_the_way_back():
    system = cj.training(cases.problem(), optax.adam)
    x = system.init(jax.random.key(0), RATE)
    w, chart = curvature.parameters(system, x)
    np.testing.assert_array_equal(w, ravel_pytree(x.params)[0])
    moved = chart(w + 1)
    np.testing.assert_array_equal(ravel_pytree(moved.params)[0], w + 1)
    jax.tree.map(np.testing.assert_array_equal, moved.opt_state, x.opt_state)


def test_what_a_system_does_not_say_is_asked_for():
    system, x = learning(lambda f, y: jnp.sum((f - y) ** 4, axis=-1))
    with pytest.raises(ValueError, match="the loss has the likelihood None"):
        curvature.fisher(system, x, RATE)
    with pytest.raises(ValueError, match=r"give System\(fit"):
        curvature.gauss_newton(cases.linear(), cases.linear().init(jax.random.key(0), {}), {})
    with pytest.raises(ValueError, match="this System has no loss"):
        curvature.hessian(cases.logistic(), jnp.ones(()), {})
    with pytest.raises(ValueError, match="operator='hesian' is not known; choose from hessian"):
        cj.probes.curvature_trace("hesian")
    with pytest.raises(ValueError, match="vectors=2 must be an integer of at least 3"):
        cj.probes.curvature_trace(vectors=2)


P = 60
NORMAL = np.random.default_rng(3).standard_normal(P)
SPECTRA = {
    "outliers": np.r_[10, 5, -3, 0.3 * NORMAL[3:]],
    "decaying": np.exp(-0.2 * np.arange(P)),
    "indefinite": NORMAL,
    "few values": np.repeat([-1.0, 2.0, 5.0], P // 3),
}


def symmetric(values, dtype=jnp.float64):
    Q, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((P, P)))
    return jnp.asarray((Q * np.asarray(values)) @ Q.T, dtype)


@jax.jit
def traces(A, keys):
    return jax.vmap(lambda key: curvature.trace(lambda v: A @ v, jax.random.normal(key, (6, P), A.dtype)))(keys)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("name", SPECTRA)
def test_trace_and_frobenius_norm_lie_within_their_errors(name, dtype):
    found, values = traces(symmetric(SPECTRA[name], dtype), jax.random.split(jax.random.key(0), 200)), SPECTRA[name]
    for estimates, errors, exact in (
        (found.trace, found.trace_error, values.sum()),
        (found.frobenius, found.frobenius_error, np.linalg.norm(values)),
    ):
        assert estimates.dtype == dtype
        off = np.abs(np.asarray(estimates, float) - exact)
        assert np.mean(off <= 2 * np.asarray(errors, float)) >= 0.85
        assert np.mean(np.asarray(estimates, float) - exact) < 4 * off.std() / np.sqrt(200)
        assert np.sqrt(np.mean(np.asarray(errors, float) ** 2)) < 4 * np.sqrt(np.mean(off**2))


def test_a_matrix_of_low_rank_is_taken_exactly_and_a_small_one_whole():
    low = symmetric(np.r_[3.0, 2.0, -1.0, np.zeros(P - 3)])
    found = traces(low, jax.random.split(jax.random.key(0), 3))
    np.testing.assert_allclose(found.trace, 4.0, rtol=1e-12)
    np.testing.assert_allclose(found.frobenius, np.sqrt(14.0), rtol=1e-7)
    assert (found.trace_error < 1e-12).all()
    nothing = traces(0 * low, jax.random.split(jax.random.key(0), 2))
    assert all((part == 0).all() for part in nothing)
    whole = curvature.trace(lambda v: 2 * v, jnp.full((3, 6), jnp.nan))
    assert [float(part) for part in whole] == [12.0, 0.0, pytest.approx(2 * np.sqrt(6)), 0.0]
    assert all(np.isnan(part).all() for part in traces(jnp.nan * low, jax.random.split(jax.random.key(0), 2)))


def test_a_quadrature_integrates_polynomials_of_its_vector_exactly():
    A, normals, depth = symmetric(SPECTRA["outliers"]), jax.random.normal(jax.random.key(1), (3, P)), 6
    found = curvature.quadrature(lambda v: A @ v, normals, depth)
    power = normals
    for degree in range(2 * depth):
        exact = np.sum(normals * power, axis=1) / np.sum(normals**2, axis=1)
        np.testing.assert_allclose(np.sum(found.weights * found.nodes**degree, axis=1), exact, rtol=1e-11)
        power = power @ A


def test_a_quadrature_in_float32_is_that_of_float64_to_its_rounding():
    """Weighed integrals differ by some rounding of the largest eigenvalue's power, however many steps follow."""
    A = symmetric(SPECTRA["outliers"])
    normals = jax.random.normal(jax.random.key(1), (3, P))
    largest = np.abs(SPECTRA["outliers"]).max()
    for depth in (6, P):
        exact = curvature.quadrature(lambda v: A @ v, normals, depth)
        single = curvature.quadrature(lambda v: A.astype("float32") @ v, normals.astype("float32"), depth)
        assert single.nodes.dtype == jnp.float32
        for degree in range(4):
            moments = [np.sum(q.weights * (np.float64(q.nodes) / largest) ** degree, axis=1) for q in (exact, single)]
            np.testing.assert_allclose(moments[1], moments[0], atol=1e-6)


def test_a_quadrature_ends_where_the_space_is_exhausted_and_says_nan_where_nothing_is_known():
    normals = jax.random.normal(jax.random.key(1), (2, P))
    A = symmetric(SPECTRA["few values"])
    values, vectors = np.linalg.eigh(A)
    found = curvature.quadrature(lambda v: A @ v, normals, P + 5)
    assert found.nodes.shape == (2, P + 5)
    for value in np.unique(SPECTRA["few values"]):
        inside = jnp.asarray(vectors[:, np.isclose(values, value)])
        part = np.sum((normals @ inside) ** 2, axis=1) / np.sum(normals**2, axis=1)
        there = np.abs(found.nodes - value) < 1e-10
        np.testing.assert_allclose(np.sum(found.weights * there, axis=1), part, rtol=1e-10)
        assert (there.sum(axis=1) == 1).all()
    nothing = curvature.quadrature(lambda v: v * jnp.nan, normals, 4)
    assert np.isnan(nothing.weights).any(axis=1).all()


def classes(hidden=6):
    """Two classes, 5 inputs: 50 parameters."""
    rng = np.random.default_rng(0)
    inputs = rng.standard_normal((30, 5))
    labels = (inputs[:, 0] * inputs[:, 1] > 0).astype(int)
    data = cj.datasets.Dataset(inputs, labels, inputs, labels, 2, {"name": "xor"})
    return cj.training(cj.supervised(cj.models.mlp([hidden], activation="tanh"), data), optax.sgd)


def dense_spectra(system, axes, steps):
    """Eigenvalues of the whole Hessian and of the two layers' blocks at the end of each cell's run."""
    found, step = [], jax.jit(lambda x: system.step(x, RATE, None))
    for seed in axes["seed"]:
        x = system.init(jax.random.fold_in(jax.random.key(seed), 0), RATE)
        for _ in range(steps):
            x = step(x)
        H = matrix(curvature.hessian, system, x)
        parts = [layer.places for layer in curvature.layers(x.params)]
        found.append([np.linalg.eigvalsh(part) for part in (H, *(H[np.ix_(i, i)] for i in parts))])
    return found


def test_records_of_training_are_those_of_dense_hessians_whole_and_per_layer():
    system, axes, steps = classes(), {"learning_rate": [RATE["learning_rate"], 1e308], "seed": [0]}, 3
    probes = {
        "density": cj.probes.spectral_density(vectors=4, depth=12),
        "trace": cj.probes.curvature_trace(vectors=8),
        "layers": cj.probes.curvature_trace(vectors=18, per_layer=True),
    }
    ds = cj.sweep(system, probes, axes, steps=steps, progress=False)
    assert ds.layers.dims == ("learning_rate", "seed", "time", "layer")
    last = ds.isel(time=-1, learning_rate=0)
    for seed, (whole, *parts) in enumerate(dense_spectra(system, axes, steps)):
        cell = last.isel(seed=seed)
        assert abs(cell.trace - whole.sum()) <= 3 * cell.trace_error
        assert abs(cell.trace_frobenius - np.linalg.norm(whole)) <= 3 * cell.trace_frobenius_error
        assert (cell.layers_error == 0).all()  # blocks of 36 and 14 parameters, taken whole
        np.testing.assert_allclose(cell.layers, [values.sum() for values in parts], rtol=1e-12)
        np.testing.assert_allclose(cell.layers_frobenius, [np.linalg.norm(values) for values in parts], rtol=1e-12)
        at, width = np.linspace(-1, 3, 9), 0.3
        density = stats.spectral_density(cell.density_nodes, cell.density_weights, at, width, confidence=0.99)
        exact = np.exp(-0.5 * ((at[:, None] - whole) / width) ** 2).mean(1) / (width * np.sqrt(2 * np.pi))
        _, low, high = stats.bounds(density)
        assert ((low <= exact + 0.01) & (exact - 0.01 <= high)).all()
        moment = stats.spectral_integral(cell.density_nodes, cell.density_weights, lambda x: x**2, confidence=0.99)
        _, low, high = stats.bounds(moment)
        assert low <= np.mean(whole**2) <= high
    dead = ds.isel(learning_rate=1, time=-1)
    assert all(dead[name].isnull().all() for name in ("trace", "trace_error", "trace_frobenius", "layers"))
    assert dead.density_weights.isnull().any("node").all()


def test_layers_part_the_parameters():
    system = classes()
    found = curvature.layers(system.init(jax.random.key(0), RATE).params)
    assert [layer.name for layer in found] == ["layers/0", "layers/1"]
    np.testing.assert_array_equal(np.concatenate([layer.places for layer in found]), np.arange(50))
    assert [layer.name for layer in curvature.layers({"b": jnp.ones(2), "w": jnp.ones(3)})] == ["parameters"]


def test_a_density_of_known_nodes_and_its_interval():
    dims = ("vector", "node")
    nodes = xr.DataArray([[0.0, 1.0], [0.0, 3.0]], dims=dims)
    weights = xr.DataArray([[0.25, 0.75], [0.5, 0.5]], dims=dims)
    mean = stats.spectral_integral(nodes, weights, lambda x: x)
    half = 12.706204736 * np.std([0.75, 1.5], ddof=1) / np.sqrt(2)
    np.testing.assert_allclose(mean, [1.125, 1.125 - half, 1.125 + half])
    density = stats.spectral_density(nodes, weights)
    area = density.sel(bound="estimate").integrate("curvature")
    np.testing.assert_allclose(area, 1, rtol=1e-4)
    with pytest.raises(ValueError, match="must be positive"):
        stats.spectral_density(nodes, weights, width=0.0)
    with pytest.raises(ValueError, match="weights has no dimension 'node'"):
        stats.spectral_integral(nodes, weights.rename(node="n"), abs)
