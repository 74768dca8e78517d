"""The arithmetic of docs/scaling.md: failures against their known mean, sizes against hand counts."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from beyond import JOBS, RECORDED, plan_of
from failures import Cluster, hours_taken, makespan


@pytest.mark.parametrize(("rate", "interval"), [(0.0, 1.0), (0.1, 0.5), (1.0, 1.0)])
def test_failures_cost_what_daly_says(rate, interval):
    taken = hours_taken(8.0, interval, rate, 0.25, 20_000, np.random.default_rng(0))
    each = (1 / rate + 0.25) * np.expm1(rate * interval) if rate else interval
    assert abs(taken.mean() - each * 8 / interval) <= 4 * taken.std() / np.sqrt(len(taken)) + 1e-12


def test_a_rest_of_an_interval_is_work_too():
    assert hours_taken(2.5, 1.0, 0.0, 1.0, 1, np.random.default_rng(0))[0] == 2.5


def test_parts_that_go_on_by_themselves_are_not_slower_than_together():
    cluster = Cluster("", 24.0, 0.1)
    assert makespan(cluster, 64, 4.0, 0.1, together=False) < makespan(cluster, 64, 4.0, 0.1, together=True)


def test_sizes_are_counted_by_hand():
    found = plan_of(JOBS[0], 1000.0, None)
    assert sum(RECORDED.values()) == 77
    assert found["chunk"] == 1
    assert found["files"] == 161 * 6
    assert found["store_gb"] == pytest.approx(161 * 77e-3)
    assert found["state_gb"] == pytest.approx(15_625 * 4810 * 8 * 7 / 1e9)
    assert found["seconds"] == pytest.approx(15_625 * 160 * 6.15 / 1000)
