"""The box dimension of boundaries whose dimension is known, and refinement against every point computed."""

import numpy as np
import pytest

from chaosjax import stats


def grid(points: int, low: float = -1.0, high: float = 1.0):
    line = np.linspace(low, high, points)
    return np.meshgrid(line, line, indexing="ij")


def holds(interval, truth):
    _, low, high = (float(end) for end in stats.bounds(interval))
    return low <= truth <= high


def koch(level: int) -> np.ndarray:
    """Corners of the quadratic Koch curve: 8 copies at a quarter of the size, so D = ln 8 / ln 4 = 3/2 exactly."""
    turns = np.array([0])
    for _ in range(level):  # directions of the generator: F+F-F-FF+F+F-F
        turns = np.concatenate([turns + step for step in (0, 1, 0, -1, -1, 0, 1, 0)])
    steps = np.exp(0.5j * np.pi * turns)
    return np.concatenate([[0], np.cumsum(steps)]) / 4**level


def test_squares_with_both_labels_are_the_boundary():
    labels = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], bool)
    assert stats.boundary(labels).all()
    assert not stats.boundary(np.ones((4, 5), bool)).any()
    assert stats.boundary(np.arange(5)[None, :].repeat(3, 0) > 2).sum() == 2


def test_a_column_is_counted_by_hand():
    labels = np.arange(65)[None, :].repeat(65, 0) > 9  # a boundary of 64 squares in a column
    found = stats.box_dimension(labels, least=1, most=8)
    assert found["counts"].values.tolist() == [64, 32, 16, 8]
    assert float(found["dimension"].sel(bound="estimate")) == pytest.approx(1, abs=1e-12)
    assert float(found["median_slope"]) == 1


def test_a_line_and_a_circle_have_dimension_one():
    x, y = grid(1025)
    for labels in (y > 0.37 * x + 0.11, x**2 + y**2 < 0.6):
        found = stats.box_dimension(labels)
        assert holds(found["dimension"], 1.0)
        assert float(found["dimension"][0]) == pytest.approx(1, abs=0.04)


def test_the_quadratic_koch_curve_has_dimension_three_halves():
    path: np.ndarray = np.asarray(koch(5), complex)
    places = np.round((path - np.real(path).min() - 1j * np.imag(path).min()) * 4**5).astype(complex)
    size = 1024
    wall = np.zeros((size + 1, size + 1), bool)
    wall[np.clip(np.imag(places).astype(int), 0, size), np.clip(np.real(places).astype(int), 0, size)] = True
    found = stats.box_dimension(wall, least=4, most=128)
    assert float(found["dimension"][0]) == pytest.approx(1.5, abs=0.08)


def inside_julia(z, c, steps=60):
    z, bounded = z.copy(), np.ones(z.shape, bool)
    for _ in range(steps):
        z = np.where(bounded, z * z + c, 3.0)
        bounded &= np.abs(z) < 2
    return bounded


def julia_dimension(c: complex, power: int = 13) -> float:
    """Dimension of the Julia set of z² + c, c small, by Bowen's formula: the mean of |(f^n)'|^-D over f^n(z) = z0 is 1.

    The pressure over all 2^n preimages of one point, at two n, so that what n leaves over cancels.
    """

    def sums(n, d):
        z, log = np.array([1.7 + 0.3j]), np.zeros(1)
        for _ in range(n):
            root = np.sqrt(z - c)
            z = np.concatenate([root, -root])
            log = np.concatenate([log, log]) + np.log(2 * np.abs(z))
        return np.log(np.sum(np.exp(-d * log)))

    low, high = 1.0, 2.0
    for _ in range(40):
        d = (low + high) / 2
        low, high = (d, high) if sums(power, d) > sums(power - 1, d) else (low, d)
    return low


def test_a_julia_set_has_the_dimension_of_bowens_formula():
    c = -0.5 + 0.5j
    truth = julia_dimension(c)
    assert julia_dimension(0.2) == pytest.approx(1 + 0.2**2 / (4 * np.log(2)), abs=0.02)  # Ruelle's expansion
    x, y = grid(513, -1.5, 1.5)
    found = stats.box_dimension(inside_julia(x + 1j * y, c))
    assert float(found["dimension"][0]) == pytest.approx(truth, abs=0.05)


def test_refinement_finds_the_labels_of_every_point_at_a_fraction_of_them():
    def disc(points):
        x, y = grid(points)
        return x**2 + y**2 < 0.5

    labels, computed = disc(33), 33 * 33
    for points in (65, 129, 257):
        whole = disc(points)
        labels, new = stats.refined(labels, lambda rows, columns, whole=whole: whole[rows, columns], margin=0)
        computed += new.sum()
        assert (labels == whole).all()
    assert computed < 0.12 * labels.size


def test_no_boundary_has_no_dimension_and_what_cannot_be_is_refused():
    found = stats.box_dimension(np.ones((129, 129), bool))
    assert np.isnan(found["dimension"]).all()
    with pytest.raises(ValueError, match="powers of 2"):
        stats.box_dimension(np.ones((20, 20), bool))
    with pytest.raises(ValueError, match="powers of 2"):
        stats.box_dimension(np.ones((129, 129), bool), least=3)
    with pytest.raises(ValueError, match="margin"):
        stats.refined(np.ones((3, 3), bool), lambda rows, columns: rows > 0, margin=-1)
