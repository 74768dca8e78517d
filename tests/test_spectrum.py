"""Exponents with errors: their coverage, their verdicts, and the dimensions and entropies that follow."""

import cases
import numpy as np
import pytest
from labelled import cells

import chaosjax as cj
from chaosjax import stats


def correlated(cells_, times, correlation, seed=0):
    """AR(1) growth of mean 0.3 and unit variance."""
    rng = np.random.default_rng(seed)
    values = np.empty((cells_, times))
    values[:, 0] = rng.standard_normal(cells_)
    for t in range(1, times):
        values[:, t] = correlation * values[:, t - 1] + np.sqrt(1 - correlation**2) * rng.standard_normal(cells_)
    return cells(0.3 + values, seed=range(cells_), time=range(times))


@pytest.mark.parametrize("correlation", [0.0, 0.8, -0.8])
def test_batch_means_cover_the_truth(correlation):
    found = stats.lyapunov_spectrum(correlated(2000, 2001, correlation))
    _, low, high = stats.bounds(found.exponents)
    coverage = float(((low <= 0.3) & (high >= 0.3)).mean())
    assert 0.93 < coverage < 0.97
    assert float(found.converged.mean()) > 0.95


def test_correlations_longer_than_a_part_are_noticed():
    found = stats.lyapunov_spectrum(correlated(300, 401, 0.98), batches=40)
    assert float(found.converged.mean()) < 0.2
    assert float(found.correlation.mean()) > 0.5


def test_a_drift_is_noticed():
    growth = correlated(50, 2001, 0.0) + np.linspace(0, 1, 2001)[None]
    assert not stats.lyapunov_spectrum(growth).converged.any()


def test_the_mean_is_the_windows_exponent_and_constant_growth_has_no_error():
    growth = cells(np.r_[0.0, np.full(40, 1.5)][:, None] * [[1, -2]], time=5 * np.arange(41), exponent=[0, 1])
    found = stats.lyapunov_spectrum(growth, batches=8, time_step=0.1)
    np.testing.assert_allclose(found.exponents, [[3.0, -6.0]] * 3, rtol=1e-13)
    np.testing.assert_allclose(found.standard_error, 0, atol=1e-14)
    assert found.converged.all()
    np.testing.assert_allclose([found["sum"], found.kaplan_yorke, found.entropy_bound], [-3, 1.5, 3], rtol=1e-12)


@pytest.mark.parametrize(
    ("exponents", "dimension"),
    [
        ([0.41922, -1.62319], 1.25827),
        ([0.9056, 0.0, -14.5723], 2.06215),
        ([-0.1, -1.0], 0),
        ([0.0, -1.0], 1),
        ([1.0, -0.5], np.nan),  # the sum of those given is not negative: it takes more
        ([np.nan, -1.0], np.nan),
    ],
)
def test_kaplan_yorke_dimension_of_published_spectra(exponents, dimension):
    found = stats.kaplan_yorke(
        cells(np.array([exponents, exponents]), seed=[0, 1], exponent=[0, 1, 2][: len(exponents)])
    )
    np.testing.assert_allclose(found, [dimension] * 2, atol=6e-6)


def test_window_exponents_average_to_the_whole():
    growth = correlated(3, 101, 0.5)
    parts = stats.window_exponents(growth, 20)
    assert parts.window_end.values.tolist() == [20, 40, 60, 80, 100]
    np.testing.assert_allclose(parts.mean("window_end"), stats.finite_time_exponents(growth), rtol=1e-12)


def test_a_sweep_ends_at_the_requested_error_and_says_so(tmp_path):
    def run(**options):
        until = stats.converged("growth", 5e-3, start=100)
        probes = {"growth": cj.probes.lyapunov(k=2)}
        settings = {"steps": 100_000, "stride": 10, "chunk": 50, "progress": False, "until": until, **options}
        return cj.sweep(cases.henon(), probes, {"seed": [0, 1]}, **settings)

    ds = run()
    found = stats.lyapunov_spectrum(ds.growth, start=100, error=5e-3)
    assert 500 <= int(ds.time[-1]) < 50_000
    assert ds.growth.notnull().all()
    assert found.converged.all()
    assert (found.standard_error <= 5e-3).all()
    # a stopped run is biased towards small errors: four of them
    assert (abs(found.exponents.sel(bound="estimate").isel(exponent=0) - 0.41922) < 4 * 5e-3).all()
    stored = run(store=tmp_path / "a.zarr")
    np.testing.assert_array_equal(stored.growth, ds.growth)
    np.testing.assert_array_equal(run(store=tmp_path / "a.zarr", resume=True).growth, ds.growth)


GROWTH = correlated(2, 31, 0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.lyapunov_spectrum(GROWTH, batches=3), "batches=3 must be an integer of at least 4"),
        (lambda: stats.lyapunov_spectrum(GROWTH, start=20), r"10 records in \(20, 30\] cannot be cut into 20 batches"),
        (lambda: stats.lyapunov_spectrum(GROWTH.rename(time="step")), "growth has no dimension 'time'"),
        (lambda: stats.kaplan_yorke(GROWTH), "exponent has no dimension 'exponent'"),
        (lambda: stats.window_exponents(GROWTH, 0), "window=0 must be a multiple of the records' stride, at most 30"),
        (lambda: stats.window_exponents(GROWTH, 31), "window=31 must be a multiple"),
    ],
)
def test_bad_input_is_explained(call, message):
    with pytest.raises(ValueError, match=message):
        call()
