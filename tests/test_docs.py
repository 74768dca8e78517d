"""The code of README, guide and instruments runs; links lead somewhere; public names say what they do."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

import chaosjax

ROOT = Path(__file__).parents[1]


def python_blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)


def run_script(source: str, folder: Path) -> None:
    (folder / "script.py").write_text(source)
    environment = {**os.environ, "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "script.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


FEWER = {
    "cj.edge_of_chaos(problem)": "cj.edge_of_chaos(problem, learning_rates=[0.5, 2.0, 8.0], seeds=2, steps=40)",
    "0.1, 20, 12": "0.1, 20, 4",
    "np.arange(4)": "np.arange(2)",
    "steps=20_000": "steps=2_000",
}


def smaller(script: str) -> str:
    for whole, part in FEWER.items():
        script = script.replace(whole, part)
    return script


def test_readme_examples_run_with_fewer_cells(tmp_path):
    first, second = python_blocks("README.md")
    script = "\n".join([first, second])
    assert all(script.count(whole) == 1 for whole in list(FEWER)[:3])
    checks = "assert 0 < float(cj.stats.bounds(found.summary.onset)[0]) <= 8"
    run_script(smaller(script) + checks, tmp_path)
    ds = xr.open_zarr(tmp_path / "onset.zarr", consolidated=False)
    assert dict(ds.sizes) == {"learning_rate": 4, "seed": 2, "time": 101, "copy": 5, "exponent": 2, "eigenvalue": 1}
    exponents = ds.growth.isel(exponent=0, time=slice(1, 41)).sum("time").mean("seed") / 40
    assert float(exponents[0]) < 0.01 < 0.3 < float(exponents.max())
    assert all((tmp_path / figure).stat().st_size > 10_000 for figure in ("edge.png", "onset.png"))


LOGGERS = {
    "tensorboardX.py": """
class SummaryWriter:
    def __init__(self, folder):
        self.scalars = {}

    def add_scalar(self, tag, value, step):
        self.scalars[step] = float(value)
""",
    "wandb.py": """
class Run:
    scalars = {}

    def log(self, values, step):
        self.scalars[step] = float(values["loss"])


def init(project):
    return Run()
""",
}
"""Loggers that are no dependencies, as far as the guide uses them."""


def test_guide_runs_from_top_to_bottom(tmp_path):
    for name, source in LOGGERS.items():
        (tmp_path / name).write_text(source)
    checks = """
assert abs(float(orbits.growth.sel(r=4.0, time=2000)[0]) / 2000 - np.log(2)) < 0.02
assert records["path"].shape == (10,) and bool(jnp.all(jnp.diff(records["path"]) > 0))
assert 1e-6 == round(float(records["twin"][0]), 12) < float(records["twin"][-1])
for each in (with_nnx, with_linen, by_hand, with_equinox, regression):
    cj.sweep(cj.training(each, optax.sgd), {"loss": cj.probes.loss()}, {"learning_rate": [0.1]}, steps=1)
to_tensorboard(ds), to_wandb(ds), live(ds)
mean = ds.loss.mean(["learning_rate", "momentum", "seed"]).to_series()
assert writer.scalars == run.scalars == dict(mean)
table = np.loadtxt("loss.csv", delimiter=",", skiprows=1)
assert sorted(table[:, -1]) == sorted(ds.loss.values.ravel())
assert len(ax.lines) == 1 + 8
assert float(low[0]) <= float(estimate[0]) <= float(high[0])
"""
    run_script(smaller("\n".join(python_blocks("docs/guide.md"))) + checks, tmp_path)


def test_instruments_page_runs(tmp_path):
    script = "\n".join(python_blocks("docs/instruments.md")).replace("steps=100_000", "steps=4_000")
    checks = """
import pytest
assert float(entropy.entropy) == pytest.approx(np.log(2), rel=0.02)
assert float(cj.series.apply(cj.series.rosenstein, orbit).value.mean()) == pytest.approx(np.log(2), rel=0.02)
assert agreement.ensemble_compared.sum() > 0
"""
    run_script(script + checks, tmp_path)


def test_curvature_page_runs(tmp_path):
    checks = """
assert 0.9 < float(density.sel(bound="estimate").integrate("curvature").mean()) < 1.01
assert losses.shape == (2, 21) and float(losses.min()) >= 0
assert flow.loss.notnull().any()
"""
    run_script("\n".join(python_blocks("docs/curvature.md")[1:]) + checks, tmp_path)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *[str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")]]
)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []


def public_names() -> list[tuple[str, object]]:
    modules = [chaosjax, *(part for name in chaosjax.__all__ if inspect.ismodule(part := getattr(chaosjax, name)))]
    pairs = [(f"{module.__name__}.{name}", getattr(module, name)) for module in modules for name in module.__all__]
    return [(name, value) for name, value in pairs if not inspect.ismodule(value)]


def test_every_public_function_says_what_it_does():
    callables = [(name, value) for name, value in public_names() if callable(value)]
    assert len(callables) > 80
    silent = [name for name, value in callables if not value.__doc__ or value.__doc__.startswith(f"{value.__name__}(")]
    assert silent == []


TUTORIALS = sorted(path.stem for path in (ROOT / "docs/tutorials").glob("*.md") if "```python" in path.read_text())


def test_every_tutorial_is_listed_in_its_order():
    assert all(f"({name}.md)" in (ROOT / "docs/tutorials/index.md").read_text() for name in TUTORIALS)
