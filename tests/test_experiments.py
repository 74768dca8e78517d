"""Configs compose, mistakes get one clear message, jobs fail alone, and a job's folder is enough to draw it again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hydra import compose, initialize_config_dir
from hydra.utils import get_method, instantiate
from omegaconf import OmegaConf

import chaosjax as cj
from experiments.jobs import check_place, explained, folder_name

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"
TOY = ["run.steps=40", "run.learning_rates=2", "run.seeds=2", "run.sharpness_every=20", "sweep.cells_per_batch=2"]
FILES = {"config.yaml", "sweep.zarr", "summary.zarr", "table.txt"}


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"experiments.{module}", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1", **environment},  # the wiring is tested
    )


def test_multirun_gives_each_job_its_own_folder_and_plot_needs_nothing_else(tmp_path):
    arguments = [
        "-m",
        "dataset=iris",
        "optimizer=sgd,momentum",
        *TOY,
        "~probes.sharpness",
        f"hydra.sweep.dir={tmp_path}",
    ]
    done = run("run", *arguments)
    assert done.returncode == 0, done.stderr
    jobs = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(jobs) == 2
    for job in jobs:
        assert {path.name for path in job.iterdir()} >= FILES
    table, figure = jobs[0] / "table.txt", jobs[0] / "edge_of_chaos.png"
    before = table.read_text()
    table.unlink(), figure.unlink()
    drawn = run("plot", str(jobs[0]))
    assert drawn.returncode == 0, drawn.stderr
    assert table.read_text() == before
    assert figure.exists()
    finished = [xr.open_zarr(job / "sweep.zarr", consolidated=False).attrs["finished"] for job in jobs]
    again = run("run", *arguments)
    assert again.returncode == 0, again.stderr  # finished jobs are opened, not run again
    assert [xr.open_zarr(job / "sweep.zarr", consolidated=False).attrs["finished"] for job in jobs] == finished


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.stepz=3"], "Key 'stepz' is not in struct"),
        (["optimizer=sgdd"], "Could not find 'optimizer/sgdd'"),
        (
            ["experiment=iriss"],
            "error: there is no experiment 'iriss'; choose from curvature/before_edge, curvature/catapult",
        ),
        (["experiment=iris,danovski/fig77", "-m"], "error: there is no experiment 'danovski/fig77'; choose from"),
        (
            ["experiment=jimenez/robustness", "case=digitss"],
            "Could not find 'case/digitss'\n\nAvailable options in 'case'",
        ),
        (["report._target_=nowhere.report"], "No module named 'nowhere'"),
        (["learning_rates.start=nan"], "error: axes: 'learning_rate' holds nan; every value must be finite"),
        (["run.steps=many"], "error: steps='many' must be an integer from 1 to"),
        (["run.stride=7"], "error: stride=7 does not divide steps=160"),
        (["dataset=mnist", "dataset.name=minst"], "did you mean 'mnist'"),
        (["model.activation=tahn"], "activation='tahn' is not known; choose from tanh"),
    ],
)
def test_a_mistake_gets_one_clear_message(arguments, message, tmp_path):
    done = run("run", *arguments, f"hydra.run.dir={tmp_path}")
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_named_before_anything_runs(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(
        SystemExit, match=r"error: .*file/x cannot be made, .*file cannot be written; set hydra.run.dir="
    ):
        check_place([f"hydra.run.dir={tmp_path}/file/x"])
    check_place([f"hydra.run.dir={tmp_path}/a/b", "dataset=iris"])
    with pytest.raises(SystemExit, match=r"set hydra.sweep.dir="):
        check_place(["experiment=jimenez/mnist", f"hydra.sweep.dir={tmp_path}/file/x"])
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"multirun cannot be made, .* set hydra.sweep.dir="):
        check_place(["-m", "dataset=iris,digits"])
    check_place(["--help"])


OWN = [*TOY, "experiment=mine", "run.stride=7,1", "hydra.sweep.subdir=${run.stride}"]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder outside the repository with the example as an experiment of one's own, and a multirun of two jobs of it.

    The first job's stride does not divide its steps.
    """
    folder = tmp_path_factory.mktemp("own")
    (folder / "experiment").mkdir()
    text = (CONF / "experiment/example.yaml").read_text()
    (folder / "experiment/mine.yaml").write_text(text.replace("experiments.example.", "mine."))
    shutil.copy(ROOT / "experiments/example.py", folder / "mine.py")
    places = ["--config-dir", str(folder), f"hydra.sweep.dir={folder / 'jobs'}"]
    return folder, run("run", "-m", *places, *OWN, PYTHONPATH=str(folder))


def test_a_job_that_fails_says_what_to_do_stops_no_other_and_is_counted_at_the_end(own):
    folder, done = own
    assert done.returncode == 1
    assert "error: 7: stride=7 does not divide steps=40; records lie at multiples of it" in done.stderr
    assert done.stderr.splitlines()[-1] == "error: 1 of 2 jobs failed: 7"
    assert not (folder / "jobs/7/findings.json").exists()
    assert (folder / "jobs/1/exponent.png").exists()


def test_a_report_over_all_jobs_needs_one_that_finished(tmp_path):
    places = [f"hydra.sweep.dir={tmp_path}", "size=toy"]
    done = run("run", "experiment=jimenez/mnist", *places, TFDS_DATA_DIR=str(tmp_path / "nothing"))
    assert done.returncode == 2  # the number of failed jobs
    no_report, failed = done.stderr.splitlines()[-2:]
    assert no_report == f"error: no job in {tmp_path} has finished, so there is no report"
    assert failed == "error: 2 of 2 jobs failed: float64, float32"
    assert done.stderr.count("dataset 'mnist' is not prepared in") == 2
    assert "Traceback" not in done.stderr


def test_a_report_of_ones_own_is_drawn_again_where_its_module_is_named(own):
    folder, _ = own
    job = str(folder / "jobs/1")
    (folder / "jobs/1/exponent.png").unlink()
    refused = run("plot", job, PYTHONPATH=str(folder))
    assert refused.returncode == 1
    assert "'mine.report' is not called" in refused.stderr
    done = run("plot", job, "--module", "mine", PYTHONPATH=str(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "jobs/1/exponent.png").exists()


@pytest.mark.parametrize("target", ["os.system", "experiments.run.main", "experiments.plot.importlib.import_module"])
def test_plot_calls_no_other_function_that_a_folder_names(target, own, tmp_path):
    shutil.copytree(own[0] / "jobs/1", tmp_path / "job")
    config = OmegaConf.load(tmp_path / "job/config.yaml")
    config.report = {"_target_": target, "command": f"touch {tmp_path / 'called'}"}
    config.dataset = {"_target_": "os.system", "command": f"touch {tmp_path / 'called'}"}
    OmegaConf.save(config, tmp_path / "job/config.yaml")
    done = run("plot", str(tmp_path / "job"))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {target!r} is not called: it is no report in experiments")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "called").exists()


def test_an_error_is_told_with_its_remedy_and_with_its_cause_where_that_adds_something():
    error = ValueError("the store cannot be read; delete it")
    error.__cause__ = KeyError("identity")
    assert explained(error) == "the store cannot be read; delete it ('identity')"
    error.__cause__ = ValueError("cannot be read")
    assert explained(error) == "the store cannot be read; delete it"


def test_jobs_lie_side_by_side():
    assert folder_name("experiment=danovski/fig7,size=toy") == "experiment=danovski.fig7,size=toy"


def test_the_example_is_short():
    files = (CONF / "experiment/example.yaml", ROOT / "experiments/example.py")
    assert sum(len(file.read_text().splitlines()) for file in files) < 50


def test_every_experiment_names_its_own_module():
    for path in (CONF / "experiment").rglob("*.yaml"):
        name = str(path.relative_to(CONF / "experiment").with_suffix(""))
        target = OmegaConf.select(OmegaConf.load(path), "report._target_")
        assert target in (None, f"experiments.{name.replace('/', '.')}.report")


def test_plot_of_a_folder_without_a_job_says_so(tmp_path):
    done = run("plot", str(tmp_path))
    assert done.returncode == 1
    assert "holds no config.yaml and sweep.zarr" in done.stderr


def test_every_target_is_a_public_callable():
    def targets(node):
        if isinstance(node, dict):
            yield from ([node["_target_"]] if "_target_" in node else [])
            for value in node.values():
                yield from targets(value)

    found = {
        target for path in CONF.rglob("*.yaml") for target in targets(OmegaConf.to_container(OmegaConf.load(path)))
    }
    assert len(found) > 10
    for target in found - {"???"}:
        assert callable(get_method(target))
        assert not any(part.startswith("_") for part in target.split("."))


@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_every_optimizer_yaml_is_a_factory_of_its_learning_rate(optimizer):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"optimizer={optimizer}"])
    factory = instantiate(config.optimizer)
    params = {"w": np.ones(2)}
    transformation = factory(learning_rate=config.learning_rates.start)
    updates, _ = transformation.update({"w": np.ones(2)}, transformation.init(params), params)
    assert np.all(np.asarray(updates["w"]) < 0)
    assert 0 < config.learning_rates.start < config.learning_rates.stop


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop"])
def test_adaptive_optimizers_have_a_tangent_where_an_input_never_varies(optimizer):
    """Gradients of weights on a constant 0 are exactly 0, and so is their second moment, under a square root."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        factory = instantiate(compose("config", [f"optimizer={optimizer}"]).optimizer)
    inputs = np.c_[np.random.default_rng(0).standard_normal((12, 2)), np.zeros(12)]
    labels = (inputs[:, 0] > 0).astype(int)
    data = cj.datasets.Dataset(inputs, labels, inputs, labels, 2, {"name": "x"})
    system = cj.training(cj.supervised(cj.models.mlp([3]), data), factory)
    ds = cj.sweep(system, {"growth": cj.probes.lyapunov()}, {"learning_rate": [0.01]}, steps=5, progress=False)
    assert np.isfinite(ds.growth).all()
