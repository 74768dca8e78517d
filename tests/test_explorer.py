"""What an explorer holds: the numbers of the statistics, thinned where there are many. The browser has its own test."""

import base64
import json
import re

import numpy as np
import pytest
from labelled import chaotic_transients

from chaosjax import plotting, stats


@pytest.fixture(scope="module")
def sweep():
    return chaotic_transients(np.geomspace(0.25, 8, 7), seeds=3, steps=60, radius=1e-5, accuracy=0.95)


def content(explorer) -> dict:
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', explorer.html, re.DOTALL)
    assert text is not None
    return json.loads(text[1])


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_a_page_holds_the_intervals_of_the_statistics(sweep):
    data = content(plotting.explore(sweep))
    assert [axis["name"] for axis in data["axes"]] == ["learning_rate", "seed"]
    numbers = {number["name"]: number for number in data["numbers"]}
    whole = stats.mean_interval(stats.finite_time_exponents(stats.first_exponent(sweep["growth"])))
    np.testing.assert_allclose(floats(numbers["growth_whole_run"]["interval"]), whole.values.T.ravel(), rtol=1e-6)
    time = stats.training_time(sweep["test_accuracy"], 0.9)["training_time"]
    drawn = floats(numbers["test_accuracy_training_time"]["interval"]).reshape(7, 3)
    np.testing.assert_allclose(drawn[:, 0], time.sel(bound="estimate"), rtol=1e-6)
    assert {"growth_steepest", "distance_steepest"} <= set(numbers)


def test_curves_are_those_of_the_records(sweep):
    data = content(plotting.explore(sweep))
    curves = {curve["name"]: floats(curve["values"]).reshape(7, 3, 61) for curve in data["curves"]}
    np.testing.assert_allclose(curves["distance"], sweep["distance"].mean("copy"), rtol=1e-6)
    np.testing.assert_allclose(curves["growth"][..., 1:], sweep["growth"][..., 1:, 0], rtol=1e-6)
    assert np.isnan(curves["growth"][..., 0]).all()


def test_many_cells_are_thinned_and_exponents_stay_exact(sweep):
    explorer = plotting.explore(sweep, most_cells=6)
    data = content(explorer)
    assert explorer.thinned == data["note"] == "Curves of 6 of 21 cells are held here: every 4th learning_rate"
    assert [axis["kept"] for axis in data["axes"]] == [[0, 4], [0, 1, 2]]
    assert floats(data["numbers"][0]["interval"]).size == 21


def test_thinned_times_hold_the_mean_exponent_between():
    long = chaotic_transients(np.array([2.0]), seeds=1, steps=1000, radius=1e-5, accuracy=0.95)
    data = content(plotting.explore(long))
    assert "every 3rd of 1,001 record times" in data["note"]
    time, curve = floats(data["time"]), {curve["name"]: floats(curve["values"]) for curve in data["curves"]}["growth"]
    growth = long["growth"].values.ravel()
    np.testing.assert_allclose(curve[1], growth[1:4].sum() / 3, rtol=1e-5)
    assert time[1] == 3


def test_other_datasets_are_refused(sweep):
    with pytest.raises(ValueError, match="no variable 'alive' over time"):
        plotting.explore(sweep.drop_vars("alive"))
