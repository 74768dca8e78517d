"""Every experiment runs at toy size, verdicts follow their rule, and the page says what is stored."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

import chaosjax
from chaosjax import stats
from experiments import _findings as findings
from experiments import claim, number
from experiments._forecast import forecast
from experiments._page import PAGES, entries, markdown_of
from experiments._stores import finished_jobs, records_of
from experiments.jobs import CONF, names_in
from experiments.run import run

ROOT = Path(__file__).parents[1]
PUBLISHED = [name for page in PAGES for name in entries(page)]
OTHERS = [name for name in names_in(CONF) if name not in PUBLISHED]
FIGURES = {"noise": {"noise.png"}, "example": {"exponent.png"}}
TOY = ["run.steps=40", "run.learning_rates=2", "run.seeds=2", "run.sharpness_every=20", "sweep.cells_per_batch=2"]

TOGETHER = {  # one report over several jobs: two of them
    "jimenez/robustness": (["case=digits"], ["case=iris"]),
    "curvature/edge_of_stability": (["case=edge_chebyshev"], ["case=edge_digits"]),
    "curvature/other_edges": (["case=edge_heavy_ball"], ["case=edge_adam"]),
    "curvature/stochastic_edge": (["job=batch_8"], ["job=sam"]),
    "curvature/late_windows": (["setting=iris"], ["setting=iris"]),
    "curvature/before_edge": (["case=digits"], ["case=iris"]),
    "questions/schedules": (["data=iris"], ["data=iris"]),
    "questions/cause": (["data=iris"], ["data=iris"]),
    "curvature/expansion": (["data=iris", "activation=sigmoid"], ["data=iris", "activation=relu"]),
    "questions/fastest_at_onset": (["network=iris_sigmoid"], ["network=iris_few"]),
    "questions/optimizers": (["data=iris", "rule=sgd"], ["data=iris", "rule=lion"]),
    "questions/batch_momentum_scale": (["job=sigmoid_full"], ["job=sigmoid_20"]),
}

IN_ONE_PROGRAM = [
    name for name in PUBLISHED if name not in ("jimenez/mnist", "danovski/s2", "learning_rate/judge", *TOGETHER)
]


def job(folder: Path, *overrides: str) -> DictConfig:
    """What `experiments.run` does, in this process and its precision."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*overrides, "size=toy"])
    run(config, folder)
    return config


def check(folder: Path) -> dict:
    record = json.loads((folder / "findings.json").read_text())
    assert record["findings"]
    assert {finding["verdict"] for finding in record["findings"]} <= set(findings.VERDICTS)
    assert record["cost"]["size"] == "toy"
    assert record["cost"]["title"] != "edge of chaos"
    assert record["cost"]["peak_bytes"] > 2**20
    assert list(folder.glob("*.png"))
    assert (folder / "table.txt").exists()
    return record


@pytest.mark.parametrize("experiment", OTHERS)
def test_an_experiment_at_toy_size(experiment, tmp_path, request):
    needs = ["model.widths=[8,8,8]"] if experiment == "deep" else []
    if experiment == "mnist":
        request.getfixturevalue("tfds_dir")
        needs = ["dataset.train_samples=100", "dataset.test_samples=50"]
    if experiment not in ("iris", "example"):  # one is enough: it takes most of the compilation
        needs.append("~probes.sharpness")
    job(tmp_path, f"experiment={experiment}", *TOY, *needs)
    figures = FIGURES.get(experiment, {"edge_of_chaos.png", "divergence.png"})
    assert {path.name for path in tmp_path.iterdir()} >= {"sweep.zarr", "summary.zarr", "table.txt"} | figures
    ds = records_of(tmp_path)
    assert ds.sizes["time"] == 41
    assert bool(ds.loss.isel(learning_rate=0).notnull().all())
    assert chaosjax.provenance_of(ds)["config"]["run"]["steps"] == 40
    assert len(chaosjax.provenance_of(ds)["identity"]["system"]["dataset"]["checksum"]) == 64


@pytest.mark.parametrize("experiment", IN_ONE_PROGRAM)
def test_an_experiment_of_the_studies_at_toy_size(experiment, tmp_path, monkeypatch):
    config = job(tmp_path, f"experiment={experiment}")
    cost = check(tmp_path)["cost"]
    dataset = xr.open_zarr(tmp_path / "sweep.zarr", consolidated=False)
    copies = dataset["distance"].sizes["copy"] if "distance" in dataset else 0
    start = dataset["distance"].attrs.get("start", 0) if copies else 0
    members = config.run.steps + copies * (config.run.steps - start)
    assert cost["gradients"] == dataset["diverged_at"].size * members
    assert forecast(instantiate(config.sweep, _partial_=True, _convert_="all").keywords) > 0
    further = config.get("after") is not None
    assert further == (len(list(tmp_path.glob("*.zarr"))) > 2)
    if further:  # a report runs no sweep: it reads the records of all of them
        monkeypatch.setattr(chaosjax, "sweep", None)
        before = (tmp_path / "findings.json").read_text()
        instantiate(config.report)(records_of(tmp_path), tmp_path)
        assert (tmp_path / "findings.json").read_text() == before


@pytest.mark.parametrize("experiment", TOGETHER)
def test_one_report_over_two_jobs(experiment, tmp_path):
    for place, overrides in enumerate(TOGETHER[experiment]):
        (tmp_path / f"{place}").mkdir()
        config = job(tmp_path / f"{place}", f"experiment={experiment}", *overrides)
    instantiate(config.report)(finished_jobs(tmp_path), tmp_path)
    check(tmp_path)


def test_rules_for_the_learning_rate_on_one_problem(tmp_path):
    (tmp_path / "iris_sgd").mkdir()
    config = job(tmp_path / "iris_sgd", "experiment=learning_rate/judge", "case=learning_rate/iris_sgd")
    instantiate(config.report)(finished_jobs(tmp_path), tmp_path)
    assert "Iris, 4–10(sigmoid)–3" in check(tmp_path)["text"]


def reproduced(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "experiments.reproduce", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
    )


def test_one_experiment_by_the_command_and_the_page(tmp_path):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path / "docs")]
    done = reproduced("--only", "danovski/fig5", "--size", "toy", *places)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/reproduction.md").read_text()
    assert "reproduction/danovski/fig5/fig5.png" in page
    assert "SIZE=toy`: 2 cells, 200 gradient evaluations" in page
    finished = xr.open_zarr(tmp_path / "jobs/toy/danovski/fig5/sweep.zarr", consolidated=False).attrs["finished"]
    again = reproduced("--only", "danovski/fig5", "--size", "toy", *places)
    assert again.returncode == 0, again.stderr
    stored = xr.open_zarr(tmp_path / "jobs/toy/danovski/fig5/sweep.zarr", consolidated=False).attrs["finished"]
    assert stored == finished  # opened, not run again


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_is_stored(page):
    written = ROOT / f"docs/{page}.md"
    assert (written.read_text() if written.exists() else None) == (
        markdown_of(page, ROOT / "docs" / page) if (ROOT / "docs" / page).exists() else None
    )


def test_the_mnist_experiments_by_the_command(tmp_path, tfds_dir):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path)]
    done = reproduced("--only", "jimenez/mnist,danovski/s2", "--size", "toy", *places)
    assert done.returncode == 0, done.stderr
    for experiment in ("jimenez/mnist", "danovski/s2"):
        check(tmp_path / "jobs/toy" / experiment)
    float32 = xr.open_zarr(tmp_path / "jobs/toy/jimenez/mnist/float32/sweep.zarr", consolidated=False)
    assert float32["growth"].dtype == np.float32


def test_an_experiment_that_fails_is_named_and_the_others_are_written(tmp_path):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path)]
    (tmp_path / "jobs/toy/danovski/fig5").mkdir(parents=True)
    (tmp_path / "jobs/toy/danovski/fig5/sweep.zarr").write_text("not a store")
    done = reproduced("--only", "danovski/fig5", "--size", "toy", *places)
    assert done.returncode == 1
    assert "error: danovski/fig5 did not finish" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_experiment_is_refused_with_the_list():
    done = reproduced("--only", "danovski/fig88")
    assert done.returncode == 1
    assert "no experiment 'danovski/fig88'; choose from danovski/fig3_4" in done.stderr


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.30, 0.28, 0.32, findings.REPRODUCED),
        (0.33, 0.312, 0.35, findings.REPRODUCED),  # meets the 5 % that the figure can be read to
        (0.35, 0.34, 0.36, findings.DIFFERENT),
        (0.40, 0.39, 0.41, findings.NOT_REPRODUCED),
        (0.30, 0.10, 0.50, findings.NOT_COMPARABLE),  # would hold almost anything
        (0.30, np.nan, np.nan, findings.NOT_COMPARABLE),
    ],
)
def test_the_verdict_on_a_number(value, low, high, verdict):
    assert number("1", "λ", 0.3, stats.interval(value, low, high)).verdict == verdict


def test_the_verdict_on_a_claim_and_what_an_interval_decides():
    part = stats.interval(0.5, 0.4, 0.6)
    assert [stats.above(part, bound) for bound in (0.3, 0.5, 0.7)] == [True, None, False]
    assert [stats.below(part, bound) for bound in (0.3, 0.5, 0.7)] == [False, None, True]
    verdicts = [claim("1", "c", "p", "o", *rest).verdict for rest in ((True,), (True, "but"), (False,), (None,))]
    assert verdicts == [findings.REPRODUCED, findings.DIFFERENT, findings.NOT_REPRODUCED, findings.NOT_COMPARABLE]


def test_a_long_sweep_is_announced(tmp_path, capsys):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["experiment=danovski/fig8", "size=toy"])
    sweep = instantiate(config.sweep, _partial_=True, _convert_="all")
    seconds = forecast(sweep.keywords, long_seconds=0.0)
    members = 1 + 5 + 2 + 0.5 * 61 / 60  # copies, a tangent product, and the loss at each of 61 records
    assert seconds < 12 * 60 * members * 1.0
    said = capsys.readouterr().err
    assert f"12 cells × 60 steps × {members:.3g} gradients of" in said
