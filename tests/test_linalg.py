"""Lanczos against dense eigenvalues, and what it says where it has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chaosjax._linalg import lanczos, unbatched


def symmetric(eigenvalues, seed=0):
    d = len(eigenvalues)
    Q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))
    return jnp.asarray((Q * np.asarray(eigenvalues)) @ Q.T)


def start(d, seed=1):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(d))


@pytest.mark.parametrize("k", [1, 4])
def test_top_eigenpairs_are_those_of_the_dense_matrix(k):
    A = symmetric([3.0, 2.5, 2.4, 1.0, 0.3, 0.0, -0.2, -1.0, -7.0, 1e-3, 0.9, 2.0])
    pairs = jax.jit(lambda A: lanczos(lambda v: A @ v, start(12), k, max_products=12, tolerance=1e-13))(A)
    np.testing.assert_allclose(pairs.values, [3.0, 2.5, 2.4, 2.0][:k], atol=1e-11)
    np.testing.assert_allclose(A @ pairs.vectors.T, pairs.vectors.T * pairs.values[None], atol=1e-10)
    assert (pairs.residuals < 1e-11).all()


def test_an_unconverged_value_lies_within_its_residual_of_an_eigenvalue():
    eigenvalues = np.linspace(0, 1, 200)  # a spectrum that Lanczos resolves slowly
    A = symmetric(eigenvalues)
    for products in (5, 20):
        pairs = jax.jit(lambda A, m=products: lanczos(lambda v: A @ v, start(200), 2, max_products=m, tolerance=0.0))(A)
        assert int(pairs.products) == products
        assert (pairs.residuals > 1e-3).all()
        distance = np.abs(eigenvalues[None] - np.asarray(pairs.values)[:, None]).min(axis=1)
        assert (distance <= pairs.residuals).all()


def test_a_good_start_needs_one_check():
    A = symmetric([5.0, 1.0, 0.5, 0.1, -2.0, -3.0, 0.0])
    cold = lanczos(lambda v: A @ v, start(7), tolerance=1e-10)
    warm = lanczos(lambda v: A @ v, cold.vectors[0] + 1e-9 * start(7), tolerance=1e-8)
    assert int(warm.products) == 5
    np.testing.assert_allclose(warm.values, 5, rtol=1e-12)


def test_an_exhausted_krylov_space_gives_what_it_holds():
    pairs = lanczos(lambda v: 3 * v, start(6), 2)
    np.testing.assert_allclose(pairs.values, [3, np.nan], rtol=1e-14)
    np.testing.assert_array_equal(np.isnan(pairs.residuals), [False, True])


def test_nan_is_handed_on():
    pairs = lanczos(lambda v: v * jnp.nan, start(6), 2)
    assert np.isnan(pairs.values).all()
    assert np.isnan(pairs.residuals).all()


@pytest.mark.parametrize(("d", "k", "most"), [(4, 5, 50), (4, 0, 50), (9, 6, 5)])
def test_impossible_numbers_of_eigenpairs_are_refused(d, k, most):
    with pytest.raises(ValueError, match=f"k={k} must be between 1 and"):
        lanczos(lambda v: v, start(d), k, max_products=most)


def test_a_factorisation_taken_one_by_one_is_the_batched_one():
    matrices = jnp.stack([symmetric(np.arange(4.0) + i, i) for i in range(3)])
    one_by_one = jax.jit(jax.vmap(unbatched(jnp.linalg.eigvalsh)))(matrices)
    np.testing.assert_allclose(one_by_one, np.linalg.eigvalsh(matrices), atol=1e-13)
