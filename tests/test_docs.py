"""The README's example runs, with fewer cells, and so do the guide's pieces."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

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


def test_readme_example_runs_with_fewer_cells(tmp_path):
    (script,) = python_blocks("README.md")
    fewer = script.replace("0.1, 20, 12", "0.1, 20, 4").replace("np.arange(4)", "np.arange(2)")
    assert fewer != script
    run_script(fewer, tmp_path)
    ds = xr.open_zarr(tmp_path / "onset.zarr", consolidated=False)
    assert dict(ds.sizes) == {"learning_rate": 4, "seed": 2, "time": 101, "copy": 5, "exponent": 2, "eigenvalue": 1}
    exponents = ds.growth.isel(exponent=0, time=slice(1, 41)).sum("time").mean("seed") / 40
    assert float(exponents[0]) < 0.01 < 0.3 < float(exponents.max())
    assert (tmp_path / "onset.png").stat().st_size > 10_000


def test_guide_pieces_run(tmp_path):
    loop, system, probe = python_blocks("docs/guide.md")
    shrunk = system.replace("500", "5").replace("cj.sweep", "ds = cj.sweep")
    assert shrunk.count("ds = cj.sweep(") == 1
    script = "\n".join(
        [
            "import jax, jax.numpy as jnp, numpy as np, chaosjax as cj",
            "cj.enable_x64()",
            shrunk,
            "assert abs(float(ds.growth.sel(r=4.0, time=2000)[0]) / 2000 - np.log(2)) < 0.02",
            probe,
            "system, probes, theta = logistic, {'path': path_length()}, {'r': 4.0}",
            "key = noise_key = jax.random.key(0)",
            loop,
            "assert records['path'].shape == (10,) and bool(jnp.all(jnp.diff(records['path']) > 0))",
        ]
    )
    run_script(script, tmp_path)


def test_instruments_page_runs(tmp_path):
    script = "\n".join(python_blocks("docs/instruments.md")).replace("steps=100_000", "steps=4_000")
    checks = """
import pytest
assert float(entropy.entropy) == pytest.approx(np.log(2), rel=0.02)
assert float(cj.series.apply(cj.series.rosenstein, orbit).value.mean()) == pytest.approx(np.log(2), rel=0.02)
assert agreement.ensemble_compared.sum() > 0
"""
    run_script(script + checks, tmp_path)


@pytest.mark.parametrize(
    "page", ["README.md", *[str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")]]
)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    missing = [target for target in targets if not (ROOT / page).parent.joinpath(target).exists()]
    assert missing == []
