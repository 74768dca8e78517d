"""The scripts of docs/examples at toy size, each against what is known of its system."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import matplotlib
import numpy as np
import pytest

import chaosjax as cj

matplotlib.use("Agg")
FOLDER = Path(__file__).parents[1] / "docs/examples"
DECAY = 0.01


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_logistic_exponents_are_exact_where_formulas_are_known(tmp_path):
    found = example("logistic").main(str(tmp_path / "a.png"), values=3, steps=4000, last=10)
    np.testing.assert_allclose(found.r, [2.8, 3.4, 4.0])
    # the fixed point's slope is 2 − r, that along the cycle of two 4 + 2r − r²
    np.testing.assert_allclose(found[0], np.log(0.8), rtol=1e-9)
    np.testing.assert_allclose(found[1], np.log(11.56 - 10.8) / 2, rtol=1e-9)
    np.testing.assert_allclose(found[2], np.log(2), atol=5e-3)  # by conjugacy errors fall as 1/t
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_lorenz_exponents_sum_to_the_divergence(tmp_path):
    found = example("lorenz").main(str(tmp_path / "a.png"), seeds=2, steps=6500)
    np.testing.assert_allclose(found["sum"], -(10 + 1 + 8 / 3), atol=1e-3)
    np.testing.assert_allclose(found.exponents.mean("seed"), [0.9056, 0, -14.5723], atol=0.1)
    np.testing.assert_allclose(found.kaplan_yorke, 2.062, atol=0.02)
    assert (tmp_path / "a.png").stat().st_size > 5000


def sharpness_at_the_minimum() -> float:
    """Newton's method on softmax regression with the L2 term, dense and in numpy."""
    iris = cj.datasets.iris(scaling="standardised")
    inputs, onehot = (
        np.column_stack([iris.train_inputs, np.ones(len(iris.train_inputs))]),
        np.eye(3)[iris.train_targets],
    )
    weights = np.zeros((5, 3))
    for _ in range(20):
        logits = np.exp(inputs @ weights)
        p = logits / logits.sum(1, keepdims=True)
        gradient = inputs.T @ (p - onehot) / len(inputs) + DECAY * weights
        outer = p[:, :, None] * np.eye(3) - p[:, :, None] * p[:, None, :]
        hessian = np.einsum("ni,nj,nkl->ikjl", inputs, inputs, outer).reshape(15, 15) / len(inputs)
        hessian += DECAY * np.eye(15)
        weights -= np.linalg.solve(hessian, gradient.ravel()).reshape(5, 3)
    assert np.abs(gradient).max() < 1e-12
    return np.linalg.eigvalsh(hessian)[-1]


def test_perceptron_loses_its_minimum_at_two_over_the_sharpness(tmp_path):
    found = example("perceptron").main(str(tmp_path / "a.png"), values=13, steps=600)
    edge = float(found.edge)
    assert edge == pytest.approx(2 / sharpness_at_the_minimum(), rel=1e-9)
    eta, exponent = found.learning_rate, found.exponent
    stable = eta < edge
    # weights that move all classes alike are held by the L2 term alone, whose curvature is the smallest
    np.testing.assert_allclose(found.theory[stable], np.log(1 - DECAY * eta[stable]), rtol=1e-9)
    np.testing.assert_allclose(exponent[stable], found.theory.broadcast_like(exponent)[stable], rtol=0.1)
    assert ((found.theory > 0) == (eta > edge)).all()
    beyond = eta[~stable].values[0]  # just over the edge: a stable cycle of two
    assert (exponent.sel(learning_rate=beyond) < 0).all()
    assert (exponent.sel(learning_rate=slice(12, 24)) > 0.05).all()
    assert (tmp_path / "a.png").stat().st_size > 5000


def test_step_decay_is_the_large_learning_rate_until_the_drop(tmp_path):
    ds = example("step_decay").main(str(tmp_path / "a.png"), seeds=2, steps=20, drops=(6,))
    dropped, large, small = (ds.sel(drop_at=drop_at) for drop_at in (6, 20, 0))
    for name in ("loss", "accuracy", "growth"):
        before, after = slice(0, 6), slice(8, None)
        np.testing.assert_array_equal(dropped[name].sel(time=before), large[name].sel(time=before))
        np.testing.assert_array_equal(small[name][0], small[name][1])
        if name != "accuracy":
            assert (dropped[name].sel(time=after) != large[name].sel(time=after)).all()
    assert (tmp_path / "a.png").stat().st_size > 5000


def lines_of_code(source: str) -> int:
    """Lines that are neither empty, nor comments, nor docstrings."""
    words = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            words |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    lines = enumerate(source.splitlines(), start=1)
    return sum(1 for number, line in lines if line.strip() and line.strip()[0] != "#" and number not in words)


SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_an_example_is_short_and_has_its_picture(name):
    assert lines_of_code((FOLDER / f"{name}.py").read_text()) <= 40
    assert f"]({name}.png)" in (FOLDER / "README.md").read_text()
    assert (FOLDER / f"{name}.png").stat().st_size > 10_000


def drawn(name, tmp_path, **sizes):
    found = example(name).main(str(tmp_path / "a.png"), **sizes)
    assert (tmp_path / "a.png").stat().st_size > 5000
    return found


def test_a_network_of_ones_own_is_calm_at_small_rates_only(tmp_path):
    found = drawn("own_network", tmp_path, rates=3, seeds=2, steps=40)
    exponent = found.steepest_tangent.sel(bound="estimate")
    assert float(exponent[0]) < 0.05 < float(exponent[-1])


def test_a_transformer_is_calm_at_small_rates_only_and_copies_part_as_the_tangent(tmp_path):
    found = drawn("transformer", tmp_path, rates=2, seeds=1, steps=30, samples=40)
    small, large = found.to_dataarray().squeeze("seed").transpose("learning_rate", ...)
    np.testing.assert_allclose(small, 0, atol=2e-3)  # attention in single precision would part copies
    assert (large > 0.05).all()
    np.testing.assert_allclose(found.copies[-1], found.old[-1], rtol=0.3)


def test_adam_and_gradient_descent_turn_chaotic(tmp_path):
    for found in drawn("adam_and_sgd", tmp_path, rates=2, seeds=2, steps=40).values():
        exponent = found.steepest.sel(bound="estimate")
        assert float(exponent[0]) < 0.05 < float(exponent[-1])


def test_copies_part_as_the_tangent_until_they_saturate(tmp_path):
    ds = drawn("divergence", tmp_path, steps=20)
    first = ds.distance.isel(time=0).mean(["copy", "learning_rate"])
    np.testing.assert_allclose(first / ds.radius, float(first[0] / ds.radius[0]), rtol=1e-3)
    # the same directions for every radius: while both are small, their growth is the same
    growth = np.log(ds.distance.isel(time=10) / ds.distance.isel(time=0)).sel(learning_rate=0.5)
    np.testing.assert_allclose(growth.isel(radius=1), growth.isel(radius=2), atol=1e-2)


def test_the_spectrum_below_the_edge_is_that_of_a_minimum(tmp_path):
    found = drawn("spectrum", tmp_path, rates=4, seeds=1, steps=800)
    eta = found.learning_rate[:1]
    assert float(eta[0]) < 2 / sharpness_at_the_minimum()
    np.testing.assert_allclose(found.exponents[:1].isel(exponent=0), np.log(1 - DECAY * eta), rtol=0.1)
    assert float(found.kaplan_yorke[0, 0]) == 0
    assert float(found.kaplan_yorke[-1, 0]) > 1


def test_the_henon_map_contracts_areas_by_its_determinant(tmp_path):
    found = drawn("covariant_vectors", tmp_path, steps=2000)
    np.testing.assert_allclose(found.orthogonal_growth.sum(1), np.log(0.3), rtol=1e-9)
    np.testing.assert_allclose(found.exponents, [0.419, -1.623], atol=0.05)


def test_small_rates_are_noise_and_large_ones_chaos(tmp_path):
    found = drawn("chaos_or_noise", tmp_path, rates=2, seeds=4, steps=40)
    assert [one.verdict for one in found] == ["noise", "chaos"]


def test_sharpness_is_found_and_rises_to_the_edge(tmp_path):
    ds = drawn("edge_of_stability", tmp_path, seeds=1, steps=300)
    known = ds.sharpness.isel(eigenvalue=0, seed=0).dropna("time")
    assert bool(ds.sharpness_converged.sel(time=known.time.values).all())
    np.testing.assert_allclose(known.isel(time=0), float(known[0, 0]), rtol=1e-6)  # one initialisation at all rates
    stability = known * ds.learning_rate / 2
    assert float(stability.sel(learning_rate=0.4)[-10:].max()) < 2.5


def test_small_rates_train_and_large_ones_do_not(tmp_path):
    ratio = drawn("fractal", tmp_path, pixels=4, steps=60)
    assert float(ratio[0, 0]) < 1 < float(ratio[-1, -1])
