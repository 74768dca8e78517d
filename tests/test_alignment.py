"""Where Lyapunov vectors point, against dense eigenvectors."""

import jax
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from scipy.linalg import subspace_angles
from test_growth_split import hessians, learning, sweep

import chaosjax as cj
from chaosjax._overlaps import principal_angles

STEPS, RATE = 6, 0.5
EXACT = {"tolerance": 1e-10, "max_products": 56}


def by_hand(system, V, k):
    """Overlaps, angles and layers at the times 0 to STEPS, from dense matrices."""
    theta = {"learning_rate": RATE}
    x = system.init(jax.random.fold_in(jax.random.key(0), 0), theta)
    grad, step = (
        jax.jit(jax.grad(lambda x: system.loss(x, theta, None))),
        jax.jit(lambda x: system.step(x, theta, None)),
    )
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(layer)) for layer in jax.tree.leaves(x.params, is_leaf=is_layer)]
    last, rows = None, []
    for H in hessians(system, RATE, STEPS + 1):
        E = np.linalg.eigh(H)[1][:, ::-1]
        g, y = np.asarray(ravel_pytree(grad(x).params)[0]), step(x)
        update = np.asarray(ravel_pytree(y.params)[0] - ravel_pytree(x.params)[0])
        ends = {"top": E[:, :k], "bottom": E[:, :-2:-1]}
        row = {name: (V @ end) ** 2 for name, end in ends.items()}
        row |= {
            "gradient": (V @ g) ** 2 / (g @ g),
            "update": (V @ update) ** 2 / (update @ update),
            "layers": np.stack([part.sum(1) for part in np.split(V**2, np.cumsum(sizes)[:-1], axis=1)], 1),
        }
        if last is not None:
            row["turning"] = np.sort(subspace_angles(last["top"], ends["top"]))
            row["smallest_turning"] = subspace_angles(last["bottom"], ends["bottom"])
        rows.append(row)
        V, last, x = np.linalg.qr((V - RATE * V @ H).T)[0].T, ends, y
    return rows


def is_layer(tree):
    return hasattr(tree, "keys") and any(name in tree for name in ("kernel", "bias"))


def test_overlaps_and_angles_are_those_of_dense_eigenvectors():
    system, probe = learning(), cj.probes.alignment(vectors=2, k=2, smallest=1, **EXACT)
    ds = sweep(system, probe, STEPS, (RATE,)).squeeze()
    carry = cj.start(system, {"g": probe}, jax.random.key(0), {"learning_rate": RATE})
    rows = by_hand(system, np.asarray(carry.memories["g"].frame.vectors), 2)
    assert ds.g_converged.all()
    for t, row in enumerate(rows):
        for name, expected in row.items():
            found = ds[f"g_{name}"].isel(time=t).values
            np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=1e-7, err_msg=f"{name} {t}")
    assert ds.g_turning[0].isnull().all()
    np.testing.assert_allclose(ds.g_layers.sum("layer"), 1, rtol=1e-12)
    np.testing.assert_allclose(ds.g_parameters, 1, rtol=1e-12)


def test_small_principal_angles_are_exact():
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((9, 3)))[0]
    for size in (1e-12, 1e-6, 0.3):
        B = np.linalg.qr(A + size * rng.standard_normal((9, 3)))[0]
        found = principal_angles(jax.numpy.asarray(A.T), jax.numpy.asarray(B.T))
        np.testing.assert_allclose(found, np.sort(subspace_angles(A, B)), rtol=1e-3 if size < 1e-9 else 1e-8)


def test_covariant_vectors_overlap_as_the_frame_does_in_the_leading_direction():
    """v_1 is the first vector of a frame of the same age."""
    system, theta, at = learning(), {"learning_rate": 6.0}, (30, 33)
    found = cj.tangent.covariant_vectors(
        system, jax.random.key(0), theta, k=2, transient=30, steps=4, backward=10, vectors_at=at
    )
    aligned = cj.tangent.alignment(system, found, theta, vectors_at=at, k=2, tolerance=1e-8, max_products=200)
    assert aligned.converged.all()
    for i, t in enumerate(at):
        H = hessians(system, 6.0, t + 1)[t]
        E = np.linalg.eigh(H)[1]
        V = np.asarray(found.vectors[i])
        np.testing.assert_allclose(aligned.top[i], (V @ E[:, :-3:-1]) ** 2, rtol=0, atol=1e-7)
        np.testing.assert_allclose(aligned.bottom[i], (V @ E[:, :1]) ** 2, rtol=0, atol=1e-7)
    assert aligned.layers.shape == (2, 2, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cj.probes.alignment(smallest=0), "smallest=0 must be an integer of at least 1"),
        (lambda: cj.probes.alignment(k=50), "k=50 must be an integer from 1 to 49, max_products less smallest"),
        (lambda: cj.probes.alignment(vectors=0), "k=0 must be an integer of at least 1"),
    ],
)
def test_impossible_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
