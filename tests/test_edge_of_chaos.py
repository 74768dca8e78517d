"""The main job's summary and figures on a data set whose onset, optimum and exponents are planted."""

import numpy as np
import pytest
import xarray as xr
from labelled import chaotic_transients

from chaosjax import stats
from experiments.edge_of_chaos import report, summarise

STEPS, TRANSIENT = 160, 40


def planted(seeds: int = 6) -> xr.Dataset:
    ds = chaotic_transients(np.geomspace(0.25, 8, 21), seeds, STEPS, radius=1e-5, accuracy=0.95)
    ones = xr.ones_like(ds["test_accuracy"])
    sharpness = (ones / ds["learning_rate"]).where(ds["time"] % 40 == 0)
    return ds.assign(sharpness=sharpness.expand_dims("eigenvalue", -1))


def test_the_summary_finds_what_was_planted():
    summary = summarise(planted())
    # 0.2 ln η = 0.05 at η = exp(1/4); linear interpolation in ln η is exact for it
    onset, low, high = stats.bounds(summary["onset"])
    assert float(onset) == pytest.approx(np.exp(0.25), rel=0.01)
    assert low <= np.exp(0.25) <= high
    estimate = summary.sel(bound="estimate")
    assert float(estimate["best_fastest"]) == pytest.approx(2.0, rel=0.1)
    assert float(estimate["gain_speed_up"]) > 3
    np.testing.assert_allclose(estimate["stability"], 0.5)
    assert abs(float(estimate["steepest_agreement_difference"])) < 1e-9
    np.testing.assert_array_equal(summary["chaotic"], summary["learning_rate"] > np.exp(0.25))


def test_the_steepest_window_sees_the_transient_and_the_straightest_the_calm_after_it():
    distance = planted()["distance"].sel(learning_rate=4, method="nearest")
    wobble = xr.DataArray(1 + 0.1 * np.sin(np.arange(STEPS + 1)) * (np.arange(STEPS + 1) <= TRANSIENT), dims="time")
    steep = stats.exponential_window(distance * wobble, select="slope")
    straight = stats.exponential_window(distance * wobble, select="r2")
    eta = float(distance["learning_rate"])
    np.testing.assert_allclose(steep["exponent"], 0.2 * np.log(eta), rtol=0.06)
    np.testing.assert_allclose(straight["exponent"], 1e-4, rtol=0.01)
    with pytest.raises(ValueError, match=r"select='best' must be 'r2'.*or 'slope'"):
        stats.exponential_window(distance, select="best")


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_give_a_report_without_false_intervals(seeds, tmp_path, capsys):
    report(planted(seeds), tmp_path)
    table = (tmp_path / "table.txt").read_text()
    assert table.splitlines()[0] in capsys.readouterr().out
    if seeds == 1:
        assert "none found" in table
        whole = xr.open_zarr(tmp_path / "summary.zarr", consolidated=False)["whole"]
        assert bool(whole.sel(bound="low").isnull().all())


def test_a_grid_without_chaos_or_success_is_reported_as_such(tmp_path):
    ds = planted().isel(learning_rate=slice(0, 3))
    ds["test_accuracy"] = ds["test_accuracy"] * 0
    report(ds, tmp_path)
    table = (tmp_path / "table.txt").read_text()
    assert table.count("none found") >= 4
    assert (tmp_path / "edge_of_chaos.png").exists()


def test_a_grid_that_diverged_everywhere_is_reported_as_such(tmp_path):
    ds = planted(3)
    dead = ds["time"] > 5
    ds = ds.assign({name: ds[name].where(~dead) for name in ("growth", "distance", "test_accuracy", "sharpness")})
    report(ds.assign(alive=ds["alive"] & ~dead), tmp_path)
    assert (tmp_path / "table.txt").read_text().count("none found") >= 5
