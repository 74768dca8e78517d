"""The program `chaosjax`: from a checkout, and from a wheel in an empty environment and folder."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from chaosjax import _cli
from experiments.jobs import CONF, LONGEST_NAME, folder_name

ROOT = Path(__file__).parents[1]
LONG = f"title={300 * 'x'}"


def call(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments, capture_output=True, text=True, **options)


@pytest.fixture
def chaosjax(monkeypatch, capsys, tmp_path):
    """Runs the program in an empty folder and returns its exit status and standard error.

    In this process, which is quick, but for multiruns: they set up logging.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments: str) -> tuple[int, str]:
        if "-m" in arguments:
            path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
            done = call(sys.executable, "-m", "chaosjax", *arguments, env=os.environ | path)
            return done.returncode, done.stderr
        monkeypatch.setattr(sys, "argv", ["chaosjax", *arguments])
        with pytest.raises(SystemExit) as stop:
            _cli.main()
        said = stop.value.code if isinstance(stop.value.code, str) else ""
        return 1 if said else int(stop.value.code or 0), capsys.readouterr().err + said

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("rnu", "invalid choice: 'rnu' (choose from"),
        ("run experiment=iriss", "there is no experiment 'iriss'; choose from curvature/before_edge, "),
        (
            "run experiment=danovski/fig77",
            "there is no experiment 'danovski/fig77'; choose from curvature/before_edge, ",
        ),
        ("run -m experiment=choice(iris,iriss)", "Could not find 'experiment/iriss'"),
        (
            "run --config-dir {own} experiment=theirs",
            "there is no experiment 'theirs'; choose from curvature/before_edge, ",
        ),
        ("run experimnt=iris", "Could not override 'experimnt'."),
        ("run dataset=digitss", "Could not find 'dataset/digitss'\n\nAvailable options in 'dataset':\n\tarrays"),
        ("run -m dataset=iris,digitss", "Could not find 'dataset/digitss'\n\nAvailable options in 'dataset':"),
        ("run experiment=jimenez/robustness case=iriss", "Could not find 'case/iriss'\n\nAvailable options in 'case'"),
        ("run -m case=iris,iriss", "Could not find 'case/iriss'\n\nAvailable options in 'case':"),
        ("plot {own}", "holds no config.yaml and sweep.zarr"),
    ],
)
def test_what_does_not_exist_is_an_error_that_lists_what_does_and_nothing_runs(arguments, message, chaosjax, tmp_path):
    (tmp_path / "own/experiment").mkdir(parents=True)
    (tmp_path / "own/experiment/mine.yaml").touch()
    status, said = chaosjax(*arguments.format(own=tmp_path / "own").split())
    assert status != 0
    assert message in said
    assert "Traceback" not in said
    assert ("mine" in said) == ("theirs" in arguments)
    assert {path.name for path in tmp_path.iterdir()} <= {"own", "multirun"}


def test_a_folder_is_named_by_its_overrides_and_long_names_stay_apart():
    assert folder_name("dataset=iris,run.seeds=2") == "dataset=iris,run.seeds=2"
    names = [folder_name(f"title={250 * 'η'},run.seeds={seeds}") for seeds in (1, 2, 1)]
    assert names[0] == names[2] != names[1]
    assert all(len(name.encode()) <= LONGEST_NAME and name.startswith("title=ηηη") for name in names)


def test_a_job_whose_overrides_are_longer_than_a_file_name_fails_for_its_own_reasons_only(chaosjax, tmp_path):
    status, said = chaosjax("run", "-m", LONG, "run=toy", "run.stride=7", "hydra.sweep.dir=jobs")
    assert status == 1
    job = next(path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir())
    assert f"error: {job}: stride=7 does not divide steps=40" in said
    assert said.endswith(f"error: 1 of 1 jobs failed: {job}\n")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The program of a wheel, in an environment of its own that sees the packages of this one."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip"]
    built = call(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(ROOT))
    assert built.returncode == 0, built.stderr
    call(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"), check=True)
    python = folder / "venv/bin/python"
    wheel = str(next(folder.glob("*.whl")))
    done = call(*pip, "--python", str(python), "install", "--no-deps", "--force-reinstall", wheel)
    assert done.returncode == 0, done.stderr
    site = Path(call(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").stdout.strip())
    (site / "present.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return site, python.with_name("chaosjax")


@pytest.fixture(scope="module")
def job(installed, tmp_path_factory):
    """A multirun of an experiment of the user's own, in a folder with a package `experiments` that is the user's."""
    folder = tmp_path_factory.mktemp("empty")
    (folder / "own/experiment").mkdir(parents=True)
    text = (CONF / "experiment/example.yaml").read_text()
    (folder / "own/experiment/mine.yaml").write_text(text.replace("experiments.example.", "mine."))
    shutil.copy(ROOT / "experiments/example.py", folder / "own/mine.py")
    (folder / "experiments").mkdir()
    (folder / "experiments/__init__.py").write_text("raise RuntimeError('the user’s own')\n")
    places = ["--config-dir", "own", "hydra.sweep.dir=jobs"]
    quick = ["run=toy", "run.steps=4", "run.sharpness_every=2", "report.until=4", LONG]
    done = _from_elsewhere(installed, folder, "run", "-m", *places, "experiment=mine", *quick)
    assert done.returncode == 0, done.stderr
    return next(path for path in (folder / "jobs").iterdir() if path.is_dir())


def _from_elsewhere(installed, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
    return call(str(installed[1]), *arguments, cwd=folder, env=environment)


@pytest.mark.long
def test_a_wheel_holds_every_experiment_and_configuration_and_nothing_beside_the_package(installed):
    site, _ = installed
    for name in ("conf", "experiments"):
        kept = {path.relative_to(ROOT) for path in (ROOT / name).rglob("*") if path.suffix in (".yaml", ".py", ".md")}
        assert len(kept) > 20
        assert all((site / "chaosjax/_program" / path).exists() for path in kept)
    assert {path.name.partition("-")[0] for path in site.iterdir()} <= {"chaosjax", "present.pth"}


@pytest.mark.long
def test_the_installed_program_runs_an_experiment_of_ones_own_and_draws_it_again(installed, job):
    assert {path.name for path in job.iterdir()} >= {"sweep.zarr", "summary.zarr", "findings.json", "exponent.png"}
    folder = job.parents[1]
    (job / "exponent.png").unlink()
    refused = _from_elsewhere(installed, folder, "plot", str(job))
    assert refused.returncode == 1
    assert "'mine.report' is not called" in refused.stderr
    drawn = _from_elsewhere(installed, folder, "plot", str(job), "--module", "mine", "--config-dir", "own")
    assert drawn.returncode == 0, drawn.stderr
    assert (job / "exponent.png").exists()


@pytest.mark.long
def test_the_installed_program_runs_an_experiment_of_the_studies(installed, tmp_path):
    done = _from_elsewhere(installed, tmp_path, "run", "experiment=danovski/fig7", "size=toy", "hydra.run.dir=job")
    assert done.returncode == 0, done.stderr
    (tmp_path / "job/table.txt").unlink()
    drawn = _from_elsewhere(installed, tmp_path, "plot", "job")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "job/table.txt").exists()


@pytest.mark.long
def test_the_installed_program_explains_itself(installed, tmp_path):
    helped = _from_elsewhere(installed, tmp_path, "run", "--help")
    assert helped.returncode == 0, helped.stderr
    assert "\nexperiment/danovski: fig11, fig3_4" in helped.stdout
    for start in ([str(installed[1])], [str(installed[1].with_name("python")), "-m", "chaosjax"]):
        done = call(*start, "--help", cwd=tmp_path, env={**os.environ, "PYTHONPATH": ""})
        assert done.returncode == 0, done.stderr
        assert "run an experiment" in done.stdout
    typo = _from_elsewhere(installed, tmp_path, "run", "experiment=iriss")
    assert typo.returncode == 1
    assert typo.stderr.startswith("error: there is no experiment 'iriss'; choose from curvature/before_edge, ")
