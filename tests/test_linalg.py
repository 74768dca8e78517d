"""Eigenpairs against dense eigenvalues, and what a search says where it has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chaosjax._eigenpairs import eigenpairs
from chaosjax._linalg import orthonormalise, unbatched


def symmetric(eigenvalues, seed=0):
    d = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return jnp.asarray((Q * np.asarray(eigenvalues)) @ Q.T)


@pytest.mark.parametrize("k", [1, 4])
def test_all_products_give_the_dense_eigenpairs_to_rounding(k):
    A = symmetric([3.0, 2.5, 2.4, 1.0, 0.3, 0.0, -0.2, -1.0, -7.0, 1e-3, 0.9, 2.0])
    block = jnp.asarray(np.random.default_rng(1).standard_normal((k, 12)))
    pairs = jax.jit(lambda A: eigenpairs(lambda v: A @ v, block, k, max_products=12, tolerance=1e-13))(A)
    np.testing.assert_allclose(pairs.values, [3.0, 2.5, 2.4, 2.0][:k], atol=1e-11)
    np.testing.assert_allclose(A @ pairs.vectors.T, pairs.vectors.T * pairs.values[None], atol=1e-10)
    assert (pairs.residuals < 1e-11).all()


def test_an_unconverged_value_lies_within_its_residual_of_an_eigenvalue():
    eigenvalues = np.linspace(0, 1, 200)  # a spectrum that is resolved slowly
    A, block = symmetric(eigenvalues), jnp.asarray(np.random.default_rng(1).standard_normal((2, 200)))
    for products in (5, 20):
        pairs = jax.jit(lambda A, m=products: eigenpairs(lambda v: A @ v, block, 2, max_products=m, tolerance=0.0))(A)
        assert int(pairs.products) == products
        assert not pairs.converged.any()
        assert (pairs.residuals > 1e-3).all()
        distance = np.abs(eigenvalues[None] - np.asarray(pairs.values)[:, None]).min(axis=1)
        assert (distance <= pairs.residuals).all()


def test_a_factorisation_taken_one_by_one_is_the_batched_one():
    matrices = jnp.stack([symmetric(np.arange(4.0) + i, i) for i in range(3)])
    one_by_one = jax.jit(jax.vmap(unbatched(jnp.linalg.eigvalsh)))(matrices)
    np.testing.assert_allclose(one_by_one, np.linalg.eigvalsh(matrices), atol=1e-13)


D, K, SMALLEST, TOLERANCE = 80, 2, 1, 1e-3
NORMAL = np.random.default_rng(3).standard_normal(D)
SPECTRA = {
    "outliers": np.r_[10, 5, -3, 0.3 * NORMAL[3:]],
    "degenerate": np.r_[3, 3, 3, 2, -2, -2, 0.3 * NORMAL[6:]],
    "clustered": np.r_[3, 2.99, 2.98, -2.98, -2.99, 0.3 * NORMAL[5:]],
    "negative": -1 - np.abs(NORMAL),
    "one value": np.full(D, 2.0),
}


@jax.jit
def extremes(A, block, seed):
    options = {"tolerance": TOLERANCE, "max_products": 200, "key": jax.random.key(seed)}
    return eigenpairs(lambda v: A @ v, block, K, SMALLEST, **options)


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float32])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_extreme_pairs_are_those_of_the_dense_matrix_even_from_other_eigenvectors(spectrum, dtype):
    A = symmetric(SPECTRA[spectrum]).astype(dtype)
    dense, vectors = np.linalg.eigh(np.asarray(A, float))
    expected, scale = np.r_[dense[::-1][:K], dense[:SMALLEST]], np.abs(dense).max()
    random = np.random.default_rng(0).standard_normal((3, D))
    for seed, block in enumerate((random, vectors.T[[D // 2, D - 5, 3]], vectors.T[[D // 2] * 3])):
        pairs = extremes(A, jnp.asarray(block, dtype), seed)
        assert pairs.converged.all()
        np.testing.assert_allclose(pairs.values, expected, rtol=0, atol=2 * TOLERANCE * scale)
        error = np.linalg.norm(A @ pairs.vectors.T - pairs.vectors.T * pairs.values[None], axis=0)
        np.testing.assert_allclose(pairs.residuals, error, rtol=0, atol=100 * float(jnp.finfo(dtype).eps) * scale)
        assert (error <= 1.01 * TOLERANCE * scale).all()
        gram = pairs.vectors @ pairs.vectors.T
        np.testing.assert_allclose(gram, np.eye(3), rtol=0, atol=100 * float(jnp.finfo(dtype).eps))


def test_pairs_of_the_matrix_that_are_not_the_extreme_ones_never_count_as_converged():
    A = symmetric(np.r_[10, 8, 6, 0.3 * NORMAL[3:]])
    inside = jnp.asarray(np.linalg.eigh(A)[1].T[-2:-1])  # of the eigenvalue 8
    for most in (1, 8, 40):
        pairs = eigenpairs(lambda v: A @ v, inside, 1, tolerance=TOLERANCE, max_products=most)
        assert int(pairs.products) <= most
        right = abs(float(pairs.values[0]) - 10) < 2 * TOLERANCE * 10
        assert right or not pairs.converged[0]
        if most == 1:
            assert float(pairs.residuals[0]) < 1e-12
    assert pairs.converged[0]


def test_a_vmapped_search_is_the_looped_one():
    nan = jnp.full((D, D), jnp.nan)  # leaves the others as they are
    matrices = jnp.stack([nan, *(symmetric(values) for values in SPECTRA.values())])
    block = jnp.asarray(np.random.default_rng(0).standard_normal((3, D)))
    search = jax.jit(lambda A: extremes(A, block, 0))
    together = jax.jit(jax.vmap(search))(matrices)
    for i, A in enumerate(matrices):
        alone = search(A)
        assert int(alone.products) == int(together.products[i])
        np.testing.assert_allclose(together.values[i], alone.values, rtol=1e-9)
        np.testing.assert_array_equal(together.converged[i], alone.converged)


@pytest.mark.parametrize(("rows", "leading", "products"), [(1, 5.0, 2), (2, 5.0, 3), (2, 4.6, 4)])
def test_a_slowly_changing_matrix_needs_few_products(rows, leading, products):
    """Its eigenvectors turn; in the last case the two largest eigenvalues cross, which the guard sees."""
    rng = np.random.default_rng(1)
    turn = rng.standard_normal((D, D)) / np.sqrt(D)
    turn = np.linalg.solve(np.eye(D) + 0.001 * (turn - turn.T), np.eye(D) - 0.001 * (turn - turn.T))
    vectors, _ = np.linalg.qr(rng.standard_normal((D, D)))
    search = jax.jit(
        lambda A, block, trusted, seed: eigenpairs(
            lambda v: A @ v, block, 1, tolerance=TOLERANCE, trusted=trusted, key=jax.random.key(seed)
        )
    )
    block, trusted, taken = jnp.asarray(rng.standard_normal((rows, D))), False, []
    for i in range(25):
        values = np.r_[leading, 4 + 0.04 * i, 3, -2, 0.3 * NORMAL[4:]]
        A = jnp.asarray((vectors * values) @ vectors.T)
        pairs = search(A, block, trusted, i)
        assert pairs.converged[0]
        np.testing.assert_allclose(pairs.values[0], values.max(), rtol=2 * TOLERANCE)
        block, trusted, vectors = pairs.block, pairs.certified, turn @ vectors
        taken.append(int(pairs.products))
    assert max(taken[1:]) <= products


def test_trust_is_not_given_to_another_matrix():
    A, other = symmetric(SPECTRA["outliers"]), symmetric(SPECTRA["outliers"], seed=5)
    block = jnp.asarray(np.linalg.eigh(A)[1].T[-1:])
    pairs = jax.jit(lambda block: eigenpairs(lambda v: other @ v, block, 1, max_products=4, trusted=True))(block)
    assert not pairs.certified
    assert int(pairs.products) == 4


def test_all_pairs_of_a_small_matrix_to_rounding():
    A = symmetric([3.0, 1.0, 1.0, -2.0])
    pairs = eigenpairs(lambda v: A @ v, jnp.full((4, 4), jnp.nan), 2, 2, tolerance=1e-13)
    np.testing.assert_allclose(pairs.values, [3, 1, -2, 1], rtol=0, atol=1e-13)
    assert pairs.converged.all()
    assert int(pairs.products) == 4


def test_a_tolerance_below_rounding_ends_unconverged():
    A = symmetric(SPECTRA["outliers"])
    pairs = eigenpairs(lambda v: A @ v, jnp.asarray(np.linalg.eigh(A)[1].T[-1:]), 1, tolerance=0.0)
    assert not pairs.converged[0]
    assert int(pairs.products) < 50
    np.testing.assert_allclose(pairs.values, 10, rtol=1e-13)


def test_nan_has_no_extreme_pairs():
    pairs = eigenpairs(lambda v: v * jnp.nan, jnp.ones((1, 6)), 1, max_products=5)
    assert np.isnan(pairs.values).all()
    assert not pairs.converged.any()


@pytest.mark.parametrize(
    ("rows", "k", "smallest", "message"),
    [
        (2, 2, 1, "k=2 and smallest=1 must be"),
        (2, 0, 0, "k=0 and smallest=0 must be"),
        (7, 1, 0, "block has 7 rows; at most 6"),
    ],
)
def test_impossible_blocks_are_refused(rows, k, smallest, message):
    with pytest.raises(ValueError, match=message):
        eigenpairs(lambda v: v, jnp.ones((rows, 6)), k, smallest)


@pytest.mark.parametrize(("dtype", "near"), [("float64", 1e-12), ("float32", 3e-4)])
def test_many_rows_are_orthonormalised_as_dense_qr_does(dtype, near):
    rng = np.random.default_rng(0)
    k, d = 20, 24
    square = np.linalg.qr(rng.standard_normal((d, d)))[0][:k]
    frames = {
        "nearly orthonormal": square + 0.05 * rng.standard_normal((k, d)),
        "of many lengths": np.geomspace(1e-9, 1e9, k)[:, None] * (square + 0.05 * rng.standard_normal((k, d))),
        "nearly parallel": rng.standard_normal(d) + 1e-6 * rng.standard_normal((k, d)),
        "dependent": np.concatenate([square[:-1], square[:1]]),
        "lost": np.concatenate([square[:-1], np.full((1, d), np.nan)]),
    }
    stacked = jnp.asarray(np.stack(list(frames.values())), dtype)
    found = jax.jit(jax.vmap(orthonormalise))(stacked)
    for name, frame, rows, growth in zip(frames, frames.values(), *found, strict=True):
        if name == "lost":
            assert np.isnan(rows).all() or np.isnan(growth[-1])
            continue
        np.testing.assert_allclose(rows @ rows.T, np.eye(k), atol=near)
        if name in ("nearly parallel", "dependent") and dtype == "float32":
            continue  # beyond its rounding
        Q, R = np.linalg.qr(frame.T)
        held = k - 1 if name == "dependent" else k
        exact = np.log(np.abs(np.diag(R)))
        np.testing.assert_allclose(growth[:held], exact[:held], atol=1e-6 if name == "nearly parallel" else near)
        span = np.abs(rows[:held] @ Q[:, :held])  # their signs are those that QR leaves
        np.testing.assert_allclose(span, np.eye(held), atol=1e-5 if name == "nearly parallel" else near)
