"""The benchmark at toy size: every figure is recorded, and the sides compute the same thing. No timing is judged."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    has_torch = (ROOT / ".venv-bench").exists()
    command = [sys.executable, str(ROOT / "benchmarks/run.py"), "--quick", "--probes", "loss", "--out", str(folder)]
    subprocess.run(command if has_torch else [*command, "--no-peers"], check=True, timeout=600)
    return json.loads((folder / "results.json").read_text()), (folder / "benchmarks.md").read_text()


def test_all_sides_end_at_the_same_losses(toy_run):
    differences = toy_run[0]["iris"]["loss_difference"]
    assert "JAX vmap" in differences
    assert max(differences.values()) < 1e-9


def test_every_figure_is_recorded(toy_run):
    results, _ = toy_run
    rounds = results["sizes"]["rounds"]
    assert {"started", "load_before", "sizes", "iris", "main_job", "machine"} == set(results) - {"beside"}
    for row in results.get("beside", []):  # where the peers are installed
        assert all(len(rates) == rounds and min(rates) > 0 for rates in row["rates"].values())
        if row["title"].startswith(("one network", "LeNet")):
            ours, theirs = row["values"].values()
            np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert {"chaosjax", "chaosjax, cells of copies", "JAX vmap"} <= set(results["iris"]["rates"])
    assert all(len(rates) == rounds and min(rates) > 0 for rates in results["iris"]["rates"].values())
    assert {"bare", "loss"} == set(results["main_job"])
    assert all(entry["peak_bytes"] > 0 and min(entry["rates"]) > 0 for entry in results["main_job"].values())
    assert {"float64", "float32"} == set(results["machine"]["matmul"])
    assert results["machine"]["bandwidth"] > 0


def test_work_of_a_step_is_that_of_its_matrix_products(toy_run):
    job = toy_run[0]["main_job"]
    bare, with_loss = (job[probe]["work"]["work"] for probe in ("bare", "loss"))
    samples, first, second = 1437, 64 * 64, 64 * 10
    products = 2 * samples * (2 * first + 3 * second)
    assert products < bare["flops float64"] < 1.1 * products
    assert job["bare"]["work"]["in kernels"]["flops float64"] == products
    assert bare["tanh float64"] == samples * 64
    assert bare["flops float64"] < with_loss["flops float64"] < 1.01 * bare["flops float64"]  # the pass is shared


def test_every_workload_has_a_floor_and_every_missed_aim_a_verdict(toy_run):
    results, page = toy_run
    assert min(results["machine"]["functions"].values()) > 0
    rows = [line.split(" | ") for line in page.split("## Against the machine")[1].splitlines() if "%" in line]
    assert len(rows) >= 3
    for row in rows:
        by_peaks, by_routines = (float(cell.replace(",", "")) for cell in row[4:6])
        assert 0 < by_peaks <= by_routines
        assert not row[8] or row[11].startswith(("met", "missed", "the floor forbids", "XLA's routines forbid"))


def test_the_page_shows_the_recorded_rates(toy_run):
    results, page = toy_run
    for rates in results["iris"]["rates"].values():
        assert f"| {rates[0]:,.0f} (" in page
