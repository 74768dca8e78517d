"""Figures of a planted sweep: labels with units, and the band of an interval."""

import numpy as np
import pytest
import xarray as xr
from labelled import cells, chaotic_transients
from matplotlib.figure import Figure

from chaosjax import plotting, stats


@pytest.fixture(scope="module")
def sweep():
    return chaotic_transients(np.geomspace(0.25, 8, 21), seeds=6, steps=160, radius=1e-5, accuracy=0.95)


def summary_of(sweep, level=0.05):
    fit = stats.exponential_window(sweep["distance"], select="slope")
    tangent = stats.tangent_in_windows(sweep["growth"], fit)
    onset = stats.onset(tangent, level=level)["onset"]
    stability = xr.full_like(tangent, 0.5)
    cells = {"steepest": fit["exponent"], "steepest_tangent": tangent, "stability": stability}
    summary = xr.Dataset({name: stats.mean_interval(values) for name, values in cells.items()})
    summary = summary.merge(stats.training_time(sweep["test_accuracy"], 0.9)).assign(onset=onset)
    summary["chaotic"] = summary["learning_rate"] >= stats.bounds(onset)[0]
    return summary.assign_attrs(threshold=0.9, level=level, horizon=160.0)


def test_the_map_names_its_axes_with_units_and_shades_the_chaotic_rates(sweep):
    summary = summary_of(sweep)
    axes = plotting.edge_of_chaos(summary).axes
    labels = [ax.get_ylabel() for ax in axes]
    assert labels[:2] == ["exponent λ (nats/step)", "training time (steps)"]
    assert labels[2] == "sharpness · η/2 at the end\n(axis linear below 0.1)"
    onset, low, high = (f"{float(bound):.3g}" for bound in stats.bounds(summary["onset"]))
    assert f"η_c = {onset} [{low}, {high}]" in [text.get_text() for text in axes[0].texts]
    lines = {line.get_label(): line.get_ydata() for line in axes[0].lines}
    drawn = lines["ensemble, steepest window (the transient)"]
    np.testing.assert_array_equal(drawn, summary["steepest"].sel(bound="estimate"))
    assert len(axes[0].patches) == int(summary["chaotic"].sum())
    two = plotting.edge_of_chaos(summary.drop_vars("stability")).axes
    assert [ax.get_ylabel() for ax in two[:2]] == labels[:2]


def test_the_map_without_an_onset_shades_nothing(sweep):
    summary = summary_of(sweep)
    summary["onset"] = summary["onset"] * np.nan
    assert not plotting.edge_of_chaos(summary).axes[0].patches


def test_perturbation_growth_names_its_axes_with_units(sweep):
    local = stats.local_exponents(stats.first_exponent(sweep["growth"]))
    curves, heat, bar = plotting.perturbation_growth(sweep["distance"], local, [0.25, 2, 8]).axes
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["η = 0.25", "η = 2", "η = 8"]
    assert heat.get_ylabel() == "learning rate η"
    assert "nats/step" in bar.get_ylabel()


def test_a_band_is_the_estimate_with_its_interval():
    x = [1.0, 2.0, 4.0]
    estimate = cells([0.0, 1.0, 2.0], learning_rate=x)
    ax = Figure().subplots()
    plotting.band(ax, x, stats.interval(estimate, estimate - 1, estimate + 2), colour="C3", label="λ", marker="o")
    (line,), (shade,) = ax.lines, ax.collections
    assert (line.get_label(), line.get_marker()) == ("λ", "o")
    np.testing.assert_array_equal(line.get_ydata(), estimate)
    extent = shade.get_paths()[0].get_extents()
    assert (extent.x0, extent.x1, extent.y0, extent.y1) == (1, 4, -1, 4)
