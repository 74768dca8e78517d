"""The reports of the two MNIST studies on records with planted exponents."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

sys.path.insert(0, str(Path(__file__).parents[1] / "experiments"))
from danovski import s2
from jimenez import mnist

STEPS, TRANSIENT = 120, 40
THRESHOLDS = (0.7, 0.8, 0.9)


def planted(seeds: int = 6, radius: float = 1e-8) -> xr.Dataset:
    """λ = 0.2 ln η for the first 40 steps of η > 1, then calm; 80 % take 60 |ln(η / 2)| + 10 steps, 90 % forever."""
    eta = np.geomspace(0.25, 8, 6)
    time = np.arange(STEPS + 1)
    scatter = 1 + 0.02 * np.random.default_rng(0).standard_normal((1, seeds))
    rate = 0.2 * np.maximum(np.log(eta), 0)[:, None] * scatter
    growth = np.where((time > 0) & (time <= TRANSIENT), rate[..., None], 1e-4)
    growth[..., 0] = 0
    needed = (60 * np.abs(np.log(eta / 2)) + 10)[:, None] * scatter
    cells = ("learning_rate", "seed", "time")
    ds = xr.Dataset(
        {
            "growth": ((*cells, "exponent"), growth[..., None], {"k": 1, "every_steps": 1}),
            "distance": (
                (*cells, "copy"),
                radius * np.exp(np.cumsum(growth, -1))[..., None] * np.ones(3),
                {"copies": 3},
            ),
            "test_accuracy": (cells, np.where(time >= needed[..., None], 0.85, 0.5)),
            "alive": (cells, np.ones(growth.shape, bool)),
            "diverged_at": (cells[:2], np.full(growth.shape[:2], np.nan)),
        },
        {"learning_rate": eta, "seed": np.arange(seeds), "time": time},
    )
    system = {
        "dataset": {"name": "planted", "train_samples": 1000},
        "model": "chaosjax.models.mlp.MLP(widths=(3,))",
        "optimizer": "optax._src.alias.sgd",
        "batch_size": None,
    }
    identity = {"system": system, "probes": {"distance": {"radius": radius}}}
    cost = {
        "wall_seconds": 1.0,
        "compile_seconds": 1.0,
        "peak_bytes": 1,
        "devices": "1 × test",
        "finished": "2026-01-01",
    }
    return ds.assign_attrs(identity=identity, config={"title": "planted", "size": "toy"}, **cost)


def verdicts(folder: Path) -> dict[str, str]:
    record = json.loads((folder / "findings.json").read_text())
    return {line["quantity"]: line["verdict"] for line in record["findings"]}


def test_the_claims_are_borne_out_where_they_were_planted(tmp_path):
    mnist.report({"float32": planted(radius=1e-6), "float64": planted()}, tmp_path, THRESHOLDS)
    found = verdicts(tmp_path)
    for accuracy in ("70%", "80%"):
        assert found[f"λ > 0.05 and learns to {accuracy}"] == "reproduced"
        assert found[f"fastest η, to {accuracy}"] == "reproduced"
    assert found["chaos at η = 2 ends before step 90"] == "reproduced"
    assert found["λ > 0.05 and learns to 90%"] == "not comparable"
    assert found["fastest η, to 90%"] == "not comparable"
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "rates.png",
        "curves.png",
        "transient.png",
        "agreement.png",
    }
    text = json.loads((tmp_path / "findings.json").read_text())["text"]
    assert "float64 with ε = 1e-08, float32 with ε = 1e-06" in text


def test_a_claim_that_the_records_contradict_is_not_reproduced():
    calm = planted()
    learns = np.where(calm["learning_rate"] < 1, 0.85, 0.5)[:, None, None]
    only_calm = calm.assign(test_accuracy=calm["test_accuracy"] * 0 + learns)
    at = xr.DataArray([0.7], dims="threshold", coords={"threshold": [0.7]})
    found = mnist.found_in(only_calm, mnist.summarise_study(only_calm, at, 0.05), {})
    assert found[0].quantity == "λ > 0.05 and learns to 70%"
    assert found[0].verdict == "not reproduced"
    assert not any("ends before" in finding.quantity for finding in found)


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_that_learn_nothing_decide_nothing(seeds, tmp_path):
    ds = planted(seeds).isel(learning_rate=slice(0, 3))
    mnist.report({"float64": ds.assign(test_accuracy=ds["test_accuracy"] * 0)}, tmp_path, THRESHOLDS)
    assert set(verdicts(tmp_path).values()) == {"not comparable"}


def test_s2_finds_the_planted_exponents(tmp_path):
    s2.report(planted(), tmp_path)
    assert verdicts(tmp_path)["λ, steepest window"] == "reproduced with a difference"
    with xr.open_zarr(tmp_path / "summary.zarr", consolidated=False) as summary:
        eta = summary["learning_rate"].values
        # the steepest window is 30 of the 40 steps that grow
        np.testing.assert_allclose(summary["steepest_tangent"], np.maximum(0.2 * np.log(eta), 1e-4), rtol=0.03)


def test_s2_on_one_seed_and_a_run_that_dies(tmp_path):
    ds = planted(1)
    dead = ds["time"] > 5
    s2.report(ds.assign({name: ds[name].where(~dead) for name in ("growth", "distance")}), tmp_path)
    assert set(verdicts(tmp_path).values()) == {"not comparable"}
