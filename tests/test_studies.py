"""Every experiment and study runs at toy size, verdicts follow their rule, and the page says what is stored."""

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
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
import findings
import reproduce
from forecast import forecast

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml") if path.stem not in reproduce.STUDIES)
FIGURES = {"noise": {"noise.png"}}
TOY = ["run.steps=40", "run.learning_rates=2", "run.seeds=2", "run.sharpness_every=20", "sweep.cells_per_batch=2"]

IN_ONE_PROGRAM = [name for name in reproduce.STUDIES if name not in ("jimenez_mnist", "robustness", "danovski_s2")]


def job(folder: Path, *overrides: str):
    """What run.py does, in this process and its precision."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [*overrides, "size=toy"], return_hydra_config=True)
    callbacks = config.hydra.callbacks
    OmegaConf.set_struct(config, False)
    del config.hydra
    sweep = instantiate(config.sweep, _partial_=True, _convert_="all", progress=False)
    record = OmegaConf.to_container(config, resolve=True)
    return config, callbacks, sweep, sweep(store=folder / "sweep.zarr", config=record)


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


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_an_experiment_at_toy_size(experiment, tmp_path, request):
    needs = ["model.widths=[8,8,8]"] if experiment == "deep" else []
    if experiment == "mnist":
        request.getfixturevalue("tfds_dir")
        needs = ["dataset.train_samples=100", "dataset.test_samples=50"]
    if experiment != "iris":  # one is enough: it takes most of the compilation
        needs.append("~probes.sharpness")
    config, _, _, dataset = job(tmp_path, f"experiment={experiment}", *TOY, *needs)
    instantiate(config.report)(dataset, tmp_path)
    figures = FIGURES.get(experiment, {"edge_of_chaos.png", "divergence.png"})
    assert {path.name for path in tmp_path.iterdir()} >= {"sweep.zarr", "summary.zarr", "table.txt"} | figures
    ds = xr.open_zarr(tmp_path / "sweep.zarr", consolidated=False)
    assert ds.sizes["time"] == 41
    assert bool(ds.loss.isel(learning_rate=0).notnull().all())
    assert ds.attrs["config"]["run"]["steps"] == 40
    assert len(ds.attrs["identity"]["system"]["dataset"]["checksum"]) == 64


@pytest.mark.parametrize("study", IN_ONE_PROGRAM)
def test_a_study_at_toy_size(study, tmp_path):
    config, _, sweep, dataset = job(tmp_path, f"experiment={study}")
    instantiate(config.report)(dataset, tmp_path)
    cost = check(tmp_path)["cost"]
    copies = dataset["distance"].sizes["copy"] if "distance" in dataset else 0
    assert cost["gradients"] == dataset["diverged_at"].size * config.run.steps * (1 + copies)
    assert forecast(sweep.keywords) > 0


def test_robustness_over_two_cases(tmp_path):
    datasets = {}
    for case in ("digits", "iris"):
        (tmp_path / case).mkdir()
        _, callbacks, _, datasets[case] = job(tmp_path / case, "experiment=robustness", f"case={case}")
    instantiate(callbacks.collect.report)(datasets, tmp_path)
    check(tmp_path)


def reproduced(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "experiments/reproduce.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
    )


def test_one_study_by_the_command_and_the_page(tmp_path):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path / "docs")]
    done = reproduced("--only", "danovski_fig5", "--size", "toy", *places)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "docs/reproduction.md").read_text()
    assert "reproduction/danovski_fig5/fig5.png" in page
    assert "SIZE=toy`: 2 cells, 200 gradient evaluations" in page
    finished = xr.open_zarr(tmp_path / "jobs/toy/danovski_fig5/sweep.zarr", consolidated=False).attrs["finished"]
    again = reproduced("--only", "danovski_fig5", "--size", "toy", *places)
    assert again.returncode == 0, again.stderr
    stored = xr.open_zarr(tmp_path / "jobs/toy/danovski_fig5/sweep.zarr", consolidated=False).attrs["finished"]
    assert stored == finished  # opened, not run again


def test_the_mnist_studies_by_the_command(tmp_path, tfds_dir):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path)]
    done = reproduced("--only", "jimenez_mnist,danovski_s2", "--size", "toy", *places)
    assert done.returncode == 0, done.stderr
    for study in ("jimenez_mnist", "danovski_s2"):
        check(tmp_path / "jobs/toy" / study)
    float32 = xr.open_zarr(tmp_path / "jobs/toy/jimenez_mnist/float32/sweep.zarr", consolidated=False)
    assert float32["growth"].dtype == np.float32


def test_a_study_that_fails_is_named_and_the_others_are_written(tmp_path):
    places = ["--jobs", str(tmp_path / "jobs"), "--docs", str(tmp_path)]
    (tmp_path / "jobs/toy/danovski_fig5").mkdir(parents=True)
    (tmp_path / "jobs/toy/danovski_fig5/sweep.zarr").write_text("not a store")
    done = reproduced("--only", "danovski_fig5", "--size", "toy", *places)
    assert done.returncode == 1
    assert "error: danovski_fig5 did not finish" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_study_is_refused_with_the_list():
    done = reproduced("--only", "danovski_fig88")
    assert done.returncode == 1
    assert "no study 'danovski_fig88'; choose from danovski_fig3_4" in done.stderr


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
    assert findings.number("1", "λ", 0.3, value, low, high).verdict == verdict


def test_the_verdict_on_a_claim_and_what_an_interval_decides():
    part = xr.Dataset({"estimate": 0.5, "low": 0.4, "high": 0.6})
    assert [findings.above(part, bound) for bound in (0.3, 0.5, 0.7)] == [True, None, False]
    assert [findings.below(part, bound) for bound in (0.3, 0.5, 0.7)] == [False, None, True]
    verdicts = [
        findings.claim("1", "c", "p", "o", *rest).verdict for rest in ((True,), (True, "but"), (False,), (None,))
    ]
    assert verdicts == [findings.REPRODUCED, findings.DIFFERENT, findings.NOT_REPRODUCED, findings.NOT_COMPARABLE]


def test_a_long_study_is_announced(tmp_path, capsys):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", ["experiment=danovski_fig8", "size=toy"])
    sweep = instantiate(config.sweep, _partial_=True, _convert_="all")
    seconds = forecast(sweep.keywords, long_seconds=0.0)
    members = 1 + 5 + 2
    assert seconds < 12 * 60 * members * 1.0
    said = capsys.readouterr().err
    assert f"12 cells × 60 steps × {members} gradients of" in said
