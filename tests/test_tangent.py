"""Covariant vectors, singular vectors and expansion entropy against dense matrices, identities and exact values."""

import math
from fractions import Fraction

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import subspace_angles

import chaosjax as cj
from chaosjax.tangent import covariant_vectors, expansion_entropy, singular_vectors

KEY = jax.random.key(0)
TRAINING = cj.training(cases.problem(), cases.heavy_ball, batch_size=3, replacement=True)
RATE = {"learning_rate": 0.1, "weight_decay": 0.01}
CAT = math.log((3 + math.sqrt(5)) / 2)


def covariants(system, theta, **options):
    return jax.tree.map(np.asarray, jax.jit(lambda key: covariant_vectors(system, key, theta, **options))(KEY))


def linear(matrix, first=0.0):
    """x' = A x beside a counter, from the fixed point or near it."""
    A = jnp.asarray(matrix)
    return cj.System(
        lambda key, theta: {"x": jnp.full(len(A), first), "counter": jnp.int32(0)},
        lambda x, theta, noise: {"x": A @ x["x"], "counter": x["counter"] + 1},
    )


def sine(a, b):
    """Sine of the angle between rows."""
    return np.linalg.norm(a / np.linalg.norm(a, axis=-1)[..., None] - signed(b, a), axis=-1)


def signed(b, a):
    return b * (np.sign(np.sum(a * b, axis=-1)) / np.linalg.norm(b, axis=-1))[..., None]


# Covariant Lyapunov vectors


def test_on_the_cat_map_they_are_the_eigenvectors():
    found = covariants(
        cj.systems.cat(), {}, k=2, transient=40, steps=200, backward=40, unstable=1, vectors_at=(40, 77, 239)
    )
    _, vectors = np.linalg.eigh([[2.0, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(found.growth, np.broadcast_to([CAT, -CAT], (200, 2)), rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.exponents, [CAT, -CAT], rtol=1e-14)
    np.testing.assert_allclose(found.angles, np.pi / 2, rtol=0, atol=1e-14)
    for j in range(2):
        assert sine(found.vectors[:, j], np.tile(vectors[:, 1 - j], (3, 1))).max() < 1e-14
    assert found.ambiguity.max() < 1e-14
    assert found.replay_error == 0


NON_NORMAL = np.diag([1.5, -1.1, 0.7, 0.2]) + np.triu(np.full((4, 4), 1.3), 1)


@pytest.mark.parametrize("unstable", [None, 2])
def test_of_a_linear_map_far_from_normal_they_are_the_eigenvectors(unstable):
    options = {"k": 4, "transient": 120, "steps": 10, "backward": 120, "unstable": unstable, "vectors_at": (125,)}
    found = covariants(linear(NON_NORMAL), {}, **options)
    values, vectors = np.linalg.eig(NON_NORMAL)
    np.testing.assert_allclose(found.exponents, np.log(np.abs(values)), rtol=0, atol=1e-12)
    assert sine(found.vectors[0], vectors.T).max() < 1e-12
    splits = [(slice(j, j + 1), slice(j + 1, j + 2)) for j in range(3)]
    splits = splits if unstable is None else [(slice(unstable), slice(unstable, 4))]
    expected = [subspace_angles(vectors[:, a], vectors[:, b]).min() for a, b in splits]
    np.testing.assert_allclose(found.angles, np.broadcast_to(expected, found.angles.shape), rtol=0, atol=1e-12)


@jax.jit
def henon_covariants(theta):
    options = {"k": 2, "transient": 200, "steps": 20_000, "backward": 200, "unstable": 1}
    return covariant_vectors(cj.systems.henon(), KEY, theta, **options, vectors_at=range(5000, 5200))


@pytest.fixture(scope="module")
def henon():
    return jax.tree.map(np.asarray, henon_covariants({"a": 1.4, "b": 0.3}))


def test_the_tangent_map_takes_them_to_themselves(henon):
    x, v = henon.points, henon.vectors
    np.testing.assert_allclose(x[1:, 0], 1 - 1.4 * x[:-1, 0] ** 2 + x[:-1, 1], rtol=0, atol=1e-15)
    for j in range(2):
        pushed = np.stack([-2.8 * x[:-1, 0] * v[:-1, j, 0] + v[:-1, j, 1], 0.3 * v[:-1, j, 0]], axis=1)
        assert sine(pushed, v[1:, j]).max() < 1e-12
        growth = henon.growth[4800:4999, j]
        np.testing.assert_allclose(growth, np.log(np.linalg.norm(pushed, axis=1)), rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.linalg.norm(v, axis=2), 1, rtol=1e-14)


def test_their_growth_is_that_of_the_orthogonal_frame_up_to_the_angle_they_open(henon):
    np.testing.assert_allclose(henon.growth[:, 0], henon.orthogonal_growth[:, 0], rtol=0, atol=1e-11)
    volume = np.log(np.sin(henon.angles[:, 0]))
    np.testing.assert_allclose(
        henon.growth[:-1].sum(axis=1) + volume[1:] - volume[:-1], math.log(0.3), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(henon.exponents, henon.orthogonal_growth.mean(axis=0), atol=20 / 20_000)
    np.testing.assert_allclose(henon.exponents, [0.41922, -1.62319], atol=0.01)


def lozi():
    """The Hénon map's relative with |x| for x²; uniformly hyperbolic but for its fold."""
    return cj.System(
        lambda key, theta: jax.random.uniform(key, (2,), minval=-0.1, maxval=0.1),
        lambda p, theta, noise: jnp.stack([1 - 1.4 * jnp.abs(p[0]) + p[1], 0.3 * p[0]]),
    )


def test_henon_has_tangencies_and_lozi_has_none(henon):
    # Ginelli et al. (2007), figure 1: the density of Hénon's angle reaches 0, that of Lozi's stays away from it
    share = np.mean(henon.angles < 0.1)
    near = np.mean(henon.angles < 0.02)
    assert near / share == pytest.approx(0.2, abs=0.08)
    assert henon.angles.min() < 1e-3
    found = covariants(lozi(), {}, k=2, transient=200, steps=20_000, backward=200, unstable=1)
    assert found.angles.min() > 0.2
    np.testing.assert_allclose(found.ambiguity, 0, atol=1e-12)


def test_checkpoints_change_nothing():
    options = {"k": 2, "transient": 50, "steps": 300, "backward": 100, "unstable": 1, "vectors_at": (50, 200, 349)}
    system, theta = cj.systems.henon(), {"a": 1.4, "b": 0.3}
    usual = covariants(system, theta, **options)
    other = covariants(system, theta, **options, checkpoint_every=7)
    assert other.replay_error == 0
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=1e-12), other, usual)


def test_on_training_with_minibatches_they_are_covariant_under_the_same_noise():
    system, theta = TRAINING, RATE
    options = {"k": 3, "transient": 400, "steps": 40, "backward": 400, "vectors_at": range(400, 440)}
    found = covariants(system, theta, **options)
    assert found.replay_error == 0

    @jax.jit
    def push(x, vectors, t):
        transition = cj.Transition(system, t, x, theta, jax.random.key(0))
        return transition.y, cj.phase(x)[0], jax.vmap(transition.push)(vectors)

    x = jax.jit(lambda: cj.start(system, {}, KEY, theta).x)()
    for t in range(439):
        x, u, pushed = push(x, found.vectors[max(0, t - 400)], jnp.int32(t))
        if t >= 400:
            np.testing.assert_allclose(found.points[t - 400], u, rtol=0, atol=1e-9)
            assert sine(np.asarray(pushed), found.vectors[t - 399]).max() < 1e-8
            np.testing.assert_allclose(found.growth[t - 400], np.log(np.linalg.norm(pushed, axis=1)), atol=1e-8)


def test_degenerate_exponents_have_no_vectors_of_their_own_and_short_passes_none_yet():
    matrix = np.diag([2.0, 2.0, 2.0, 0.5, 0.49])
    found = covariants(linear(matrix), {}, k=5, transient=60, steps=5, backward=60)
    assert found.ambiguity[1:3].min() > 0.01
    assert found.ambiguity[3] < 1e-12
    assert 0.01 < found.ambiguity[4] < 1


def test_an_orbit_that_leaves_the_finite_numbers_has_no_vectors():
    found = henon_covariants({"a": 9.0, "b": 0.3})
    assert np.isnan(found.growth).all()
    assert np.isnan(found.exponents).all()


# Singular vectors of the propagator


def final(system, x, theta, t0, steps):
    """u[t0] → u[t0 + steps], by a plain loop."""

    def step(t, y):
        return system.step(y, theta, system.noise(KEY, t))

    def image(u):
        y = jax.lax.fori_loop(jnp.int32(t0), jnp.int32(t0 + steps), step, cj.phase(x)[1](u))
        return cj.phase(y)[0]

    return image


def test_on_training_they_are_the_dense_singular_vectors():
    system, theta, steps = TRAINING, RATE, 6
    x = jax.jit(system.init)(KEY, theta)
    M = np.asarray(jax.jit(jax.jacfwd(final(system, x, theta, 5, steps)))(cj.phase(x)[0]))
    found = jax.jit(lambda x: singular_vectors(system, x, theta, KEY, 5, steps, 3, tolerance=1e-12))(x)
    np.testing.assert_allclose(found.values, np.linalg.svd(M, compute_uv=False)[:3], rtol=1e-11)
    np.testing.assert_allclose(M @ found.right.T, found.left.T * found.values[None], rtol=0, atol=1e-9)
    np.testing.assert_allclose(M.T @ found.left.T, found.right.T * found.values[None], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.right @ found.right.T, np.eye(3), atol=1e-12)
    assert found.residuals.max() < 1e-10


def test_below_rounding_there_is_no_value_where_a_dense_decomposition_gives_a_wrong_one():
    system, theta, x = cj.systems.henon(), {"a": 1.4, "b": 0.3}, jnp.asarray([0.1, 0.1])
    for steps in (5, 20):
        M = np.asarray(jax.jacfwd(final(system, x, theta, 0, steps))(x))
        found = jax.jit(lambda x, n=steps: singular_vectors(system, x, theta, KEY, 0, n, 2))(x)
        # the orbits of two programs part by rounding, which grows by up to σ_1
        np.testing.assert_allclose(found.values[0], np.linalg.norm(M, 2), rtol=1e-10)
        smaller = 0.3**steps / np.linalg.norm(M, 2)
        if steps == 5:
            assert abs(found.values[1] - smaller) < found.residuals[1]
        else:
            assert np.isnan(found.values[1])
            assert np.isnan(found.right[1]).all()
            assert abs(np.linalg.svd(M, compute_uv=False)[1] / smaller - 1) > 0.1


def test_values_far_below_the_largest_lie_within_their_residuals():
    A = np.array([[2.0, 1.0, 0.5], [0.25, 0.5, 1.0], [0.0, 0.125, 0.03125]])
    steps = 12
    exact = [[Fraction(value) for value in row] for row in A.tolist()]
    power = exact
    for _ in range(steps - 1):
        power = [[sum(p * q[j] for p, q in zip(row, exact, strict=True)) for j in range(3)] for row in power]

    def norm(matrix):
        return np.linalg.norm(np.array([[float(q) for q in row] for row in matrix]), 2)

    def cofactors(m):
        rows = [[m[(i + 1) % 3][(j + 1) % 3] * m[(i + 2) % 3][(j + 2) % 3] for j in range(3)] for i in range(3)]
        return [
            [rows[i][j] - m[(i + 1) % 3][(j + 2) % 3] * m[(i + 2) % 3][(j + 1) % 3] for j in range(3)] for i in range(3)
        ]

    minors = cofactors(power)
    determinant = sum(power[0][j] * minors[0][j] for j in range(3))
    first, volume = norm(power), norm(minors)  # σ_1 and σ_1 σ_2
    values = np.array([first, volume / first, abs(float(determinant)) / volume])
    found = jax.jit(lambda x: singular_vectors(linear(A), x, {}, KEY, 0, steps, 3))(linear(A).init(KEY, {}))
    assert first / values[1] > 1e5
    known = ~np.isnan(np.asarray(found.values))
    assert known[:2].all()
    assert (np.abs(found.values - values)[known] <= found.residuals[known]).all()
    assert (values[~known] < 2 * np.asarray(found.residuals)[~known]).all()


def test_what_is_not_converged_says_how_far_it_may_be_off():
    sigma = np.linspace(0.5, 1.0, 120)
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((120, 120)))[0] for _ in range(2))
    system = linear((U * sigma) @ V.T)
    x = system.init(KEY, {})
    for products in (5, 20):
        found = jax.jit(
            lambda x, n=products: singular_vectors(system, x, {}, KEY, 0, 1, 2, max_products=n, tolerance=0.0)
        )(x)
        assert int(found.products) == products
        assert found.residuals.min() > 1e-3
        assert (np.abs(sigma[None] - np.asarray(found.values)[:, None]).min(axis=1) <= found.residuals).all()


def test_an_overflowing_propagator_has_no_values():
    system = linear(np.diag([1e10, 1.0]))
    found = jax.jit(lambda x: singular_vectors(system, x, {}, KEY, 0, 40))(system.init(KEY, {}))
    assert np.isnan(found.values).all()


# Expansion entropy


def entropy(system, theta, inside, sample, steps, **options):
    return jax.jit(
        lambda key: expansion_entropy(system, key, theta, inside=inside, sample=sample, steps=steps, **options)
    )(KEY)


def in_unit(x):
    return jnp.all((x >= 0) & (x <= 1))


def uniform(*shape):
    return lambda key: jax.random.uniform(key, shape)


def test_constant_expansion_is_exact():
    tent = entropy(cj.systems.tent(), {"slope": 1.9}, in_unit, uniform(), 100, samples=400)
    cat = entropy(cj.systems.cat(), {}, in_unit, uniform(2), 100, samples=400)
    for found, expected in ((tent, math.log(1.9)), (cat, CAT)):
        np.testing.assert_allclose(found.entropy, expected, rtol=1e-12)
        np.testing.assert_allclose(found.high - found.low, 0, atol=1e-12)
        np.testing.assert_allclose(found.log_expansion, expected * np.arange(len(found.log_expansion)), rtol=1e-12)
        np.testing.assert_allclose(found.effective, 400, rtol=1e-9)


def test_the_logistic_map_expands_by_2():
    found = entropy(cj.systems.logistic(), {"r": 4.0}, in_unit, uniform(), 12, samples=100_000)
    assert found.low < math.log(2) < found.high
    assert float(found.entropy) == pytest.approx(math.log(2), rel=0.005)


def test_without_expansion_it_is_0():
    system = linear(np.diag([0.9, 0.5]))
    sample = lambda key: {"x": jax.random.uniform(key, (2,)), "counter": jnp.int32(0)}  # noqa: E731
    found = entropy(system, {}, lambda x: in_unit(x["x"]), sample, 20, samples=400)
    assert found.entropy == 0
    np.testing.assert_array_equal(found.log_expansion, 0)


def test_a_repeller_expands_by_what_stays():
    # each step of the tent map of slope 3 stretches by 3 and keeps 2/3 of the interval: ln 2, with no attractor at all
    found = entropy(cj.systems.tent(), {"slope": 3.0}, in_unit, uniform(), 12, samples=200_000)
    assert found.low < math.log(2) < found.high
    assert float(found.entropy) == pytest.approx(math.log(2), rel=0.02)
    np.testing.assert_allclose(found.survivors / 200_000, (2 / 3) ** np.arange(13), rtol=0.15)
    np.testing.assert_allclose(found.log_expansion[:6], np.arange(6) * math.log(2), atol=0.02)


def test_henon_expands_by_its_topological_entropy():
    found = entropy(
        cj.systems.henon(),
        {"a": 1.4, "b": 0.3},
        lambda x: jnp.all(jnp.abs(x) <= 3),
        lambda key: jax.random.uniform(key, (2,), minval=-3, maxval=3),
        30,
        samples=200_000,
    )
    # Newhouse, Berz, Grote, Makino, Contemp. Math. 469 (2008) 1: at least 0.46469
    assert found.low < 0.46469 < found.high
    assert float(found.entropy) == pytest.approx(0.46469, rel=0.01)


@pytest.mark.parametrize(
    ("slope", "steps", "samples", "reason"),
    [(3.0, 30, 2000, 1), (1.9, 3000, 40, 2)],
    ids=["too few survive", "the propagator overflows"],
)
def test_without_enough_to_go_by_there_is_no_entropy_but_a_reason(slope, steps, samples, reason):
    found = entropy(cj.systems.tent(), {"slope": slope}, in_unit, uniform(), steps, samples=samples, effective=20.0)
    assert int(found.reason) == reason
    assert np.isnan([found.entropy, found.low, found.high]).all()


def test_a_propagator_beyond_the_precision_gives_no_entropy():
    found = entropy(cj.systems.doubling_lattice(3), {"coupling": 0.1}, in_unit, uniform(3), 100, samples=40)
    expected = sum(value for value in cj.systems.doubling_lattice_exponents(3, 0.1) if value > 0)
    np.testing.assert_allclose(found.log_expansion[:31], expected * np.arange(31), rtol=1e-5)
    np.testing.assert_allclose(found.log_expansion[:11], expected * np.arange(11), rtol=1e-12)
    assert int(found.reason) == 2
    assert np.isnan(found.entropy)


def test_nothing_inside_is_no_entropy():
    found = entropy(cj.systems.tent(), {"slope": 1.9}, lambda x: x < -1, uniform(), 10, samples=40)
    assert int(found.reason) == 1
    assert np.isnan(found.entropy)


CLV = {"k": 2, "transient": 1, "steps": 5, "backward": 1}
TENT = {"inside": in_unit, "sample": uniform(), "steps": 10}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: covariant_vectors(cj.systems.cat(), KEY, {}, **{**CLV, "k": 3}), "k=3 exceeds the dimension 2"),
        (
            lambda: covariant_vectors(cj.systems.cat(), KEY, {}, **{**CLV, "steps": 0}),
            "steps=0 must be an integer of at least",
        ),
        (
            lambda: covariant_vectors(cj.systems.cat(), KEY, {}, **CLV, unstable=2),
            "unstable=2 must be an integer from 1 to k",
        ),
        (
            lambda: covariant_vectors(cj.systems.cat(), KEY, {}, **CLV, vectors_at=(6,)),
            "vectors_at has t=6; times run from 1",
        ),
        (lambda: covariant_vectors(cj.systems.cat(), KEY, {}, **CLV, checkpoint_every=0), "checkpoint_every=0 must be"),
        (lambda: singular_vectors(cj.systems.cat(), jnp.ones(2), {}, KEY, 0, 0), "steps=0 must be a positive integer"),
        (lambda: singular_vectors(cj.systems.cat(), jnp.ones(2), {}, KEY, 0, 5, 3), "k=3 must be between 1 and 2"),
        (lambda: expansion_entropy(cj.systems.tent(), KEY, {}, **TENT, samples=30), "multiple of batches=20"),
        (lambda: expansion_entropy(cj.systems.tent(), KEY, {}, **TENT, window=(3, 4)), "at least three of the times"),
        (lambda: expansion_entropy(cj.systems.tent(), KEY, {}, **TENT, confidence=1.0), "between 0 and 1"),
    ],
)
def test_bad_input_is_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("k", [1, 3])
def test_rows_are_made_orthonormal_from_the_first_on(k):
    """Each row is what is left of it beside the span of those before, and has grown by the volume that it adds."""
    rows = np.random.default_rng(0).normal(size=(k, 5))
    done, growth = jax.vmap(cj.tangent.orthonormalise)(jnp.asarray([rows, 3 * rows]))
    for i in range(k):
        rest = rows[i] - np.linalg.pinv(rows[:i]) @ rows[:i] @ rows[i] if i else rows[i]
        left = np.linalg.norm(rest)
        np.testing.assert_allclose(abs(done[0, i] @ rest), left, rtol=1e-13)
        np.testing.assert_allclose(growth[:, i], np.log([left, 3 * left]), rtol=1e-13, atol=1e-14)
    np.testing.assert_allclose(done[0] @ done[0].T, np.eye(k), atol=1e-14)
