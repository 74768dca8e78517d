"""Jobs of several processes, and multiruns by the launchers of clusters, as far as one machine can try them."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir

import chaosjax as cj
from experiments import processes
from experiments.jobs import CONF

ROOT = Path(__file__).parents[1]
TOY = ["experiment=example", "run.steps=40", "run.learning_rates=4", "run.seeds=2", "report.until=20"]
TOY += ["sweep.cells_per_batch=2"]
LAUNCHERS = {"this_machine": "joblib", "local_queue": "submitit", "slurm": "submitit", "ray_here": "ray"}
LAUNCHERS["ray_cluster"] = "ray"
PLUGINS = {name: f"hydra_plugins.hydra_{package}_launcher" for name, package in LAUNCHERS.items()}


def is_installed(launcher: str) -> bool:
    try:
        return importlib.util.find_spec(PLUGINS[launcher]) is not None
    except ModuleNotFoundError:
        return False


def start(*arguments: str) -> subprocess.Popen:
    many = [argument for argument in arguments if argument == "-m"]
    rest = [argument for argument in arguments if argument != "-m"]
    command = [sys.executable, "-m", "experiments.run", *many, *TOY, *rest]
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen, seconds: float = 500) -> str:
    told = process.communicate(timeout=seconds)[1]
    assert process.returncode == 0, told
    return told


def test_distributed_auto_finds_slurm_and_makes_the_job_of_one_process(tmp_path):
    """Two processes in the environment that SLURM gives its own, without a folder being named."""
    slurm = {"SLURM_JOB_ID": str(10_000 + os.getpid()), "SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": "2"}
    folder = tmp_path / f"outputs/slurm-{slurm['SLURM_JOB_ID']}"
    ranks = [{"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)} for i in range(2)]
    where = {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "experiments.run", *TOY, "distributed=auto"]
    both = [
        subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "JAX_PLATFORMS": "cpu", **where, **slurm, **rank},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ranks
    ]
    for process in both:
        end(process)
    end(start(f"hydra.run.dir={tmp_path / 'alone'}"))
    together, alone = (cj.open_sweep(path / "sweep.zarr") for path in (folder, tmp_path / "alone"))
    for name in alone:
        np.testing.assert_array_equal(together[name], alone[name], err_msg=name)
    assert together.attrs["processes"] == 2
    assert {path.name for path in folder.glob("*.png")} == {path.name for path in (tmp_path / "alone").glob("*.png")}


def test_the_folder_of_a_job_of_several_processes_is_one(monkeypatch):
    for variable in processes.JOBS:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ValueError, match=r"the processes need one folder; .* hydra\.run\.dir=FOLDER"):
        processes.cluster_job()
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert processes.cluster_job() == "slurm-77"


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_launchers_configuration_composes(launcher):
    if not is_installed(launcher):
        pytest.skip(f"{PLUGINS[launcher]} is not installed: pip install 'chaosjax[{LAUNCHERS[launcher]}]'")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", [f"hydra/launcher={launcher}"], return_hydra_config=True)
    assert LAUNCHERS[launcher] in config.hydra.launcher._target_


@pytest.mark.parametrize("launcher", ["this_machine", "local_queue", "ray_here"])
def test_a_launcher_runs_a_multirun(launcher, tmp_path):
    if not is_installed(launcher):
        pytest.skip(f"{PLUGINS[launcher]} is not installed: pip install 'chaosjax[{LAUNCHERS[launcher]}]'")
    end(start("-m", f"hydra/launcher={launcher}", "optimizer=sgd,momentum", f"hydra.sweep.dir={tmp_path}"))
    found = cj.open_multirun(tmp_path)
    assert sorted(found.optimizer.values) == ["momentum", "sgd"]
    assert bool(found.loss.notnull().all())


def test_a_preempted_job_of_submitit_is_queued_again_and_goes_on(tmp_path):
    """The signal that SLURM sends before it takes a job away: the job is queued again, and ends with the same bits."""
    if not is_installed("local_queue"):
        pytest.skip("submitit is not installed: pip install 'chaosjax[submitit]'")
    long = ["run.steps=4000", "sweep.stride=10", "optimizer=sgd,momentum"]
    running = start("-m", "hydra/launcher=local_queue", *long, f"hydra.sweep.dir={tmp_path / 'a'}")
    deadline, jobs = time.monotonic() + 200, []
    while time.monotonic() < deadline and not jobs:
        jobs = list((tmp_path / "a").glob("*/sweep.zarr/checkpoints/*"))
        time.sleep(0.05)
    pids = [int(pid) for pid in _workers(tmp_path / "a")]
    assert pids
    os.kill(pids[0], signal.SIGUSR2)
    end(running)
    end(start("-m", *long, f"hydra.sweep.dir={tmp_path / 'b'}"))
    one, other = cj.open_multirun(tmp_path / "a"), cj.open_multirun(tmp_path / "b")
    for name in other:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def _workers(folder: Path) -> list[str]:
    """The processes that submitit has started for jobs of a multirun."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "submitit.core._submit" in words and any(str(folder) in word for word in words):
            found.append(path.parent.name)
    return found
