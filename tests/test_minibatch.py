"""The implicit permutation is one, changes with the key, and is as uniform as a random one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from chaosjax._minibatch import permuted


def whole(key: int, size: int) -> np.ndarray:
    return np.asarray(permuted(jax.random.key(key), jnp.arange(size), size))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 16, 17, 100, 1437, 4096, 60_000])
def test_it_is_a_permutation(size):
    assert np.array_equal(np.sort(whole(0, size)), np.arange(size))


def test_a_part_is_the_part_of_the_whole():
    places = jnp.array([7, 3, 41])
    assert np.array_equal(permuted(jax.random.key(5), places, 100), whole(5, 100)[[7, 3, 41]])


def test_every_value_is_as_likely_at_every_place():
    size, keys = 10, 4000
    draw = jax.jit(jax.vmap(lambda key: permuted(key, jnp.arange(size), size)))
    draws = draw(jax.random.split(jax.random.key(0), keys))
    counts = np.stack([np.bincount(np.asarray(draws)[:, place], minlength=size) for place in range(size)])
    statistic = ((counts - keys / size) ** 2 / (keys / size)).sum()
    assert 0.001 < stats.chi2.sf(statistic, (size - 1) ** 2) < 0.999


def test_neighbours_are_uncorrelated():
    values = whole(3, 60_000).astype(float)
    correlation, _ = stats.pearsonr(values[:-1], values[1:])
    assert abs(correlation) < 4 / np.sqrt(len(values))


def test_all_orders_of_four_come_up_equally_often():
    keys = 24 * 400
    draw = jax.jit(jax.vmap(lambda key: permuted(key, jnp.arange(4), 4)))
    draws = np.asarray(draw(jax.random.split(jax.random.key(1), keys)))
    counts = np.unique(draws, axis=0, return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 0.001
