"""The reports of the two MNIST experiments on records with planted exponents."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from labelled import chaotic_transients

from chaosjax import stats
from experiments.danovski import s2
from experiments.jimenez import mnist

SETTINGS = {"thresholds": [0.7, 0.8, 0.9], "level": 0.05}


def planted(seeds: int = 6, radius: float = 1e-8) -> xr.Dataset:
    """80 % are reached, 90 % never."""
    return chaotic_transients(np.geomspace(0.25, 8, 6), seeds, 120, radius, accuracy=0.85)


def verdicts(folder: Path) -> dict[str, str]:
    record = json.loads((folder / "findings.json").read_text())
    return {line["quantity"]: line["verdict"] for line in record["findings"]}


def test_the_claims_are_borne_out_where_they_were_planted(tmp_path):
    mnist.report({"float32": planted(radius=1e-6), "float64": planted()}, tmp_path, **SETTINGS)
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
    records = {"float64": only_calm}
    found = mnist.findings(mnist.summarise(records, [0.7], 0.05), records)
    assert found[0].quantity == "λ > 0.05 and learns to 70%"
    assert found[0].verdict == "not reproduced"
    assert not any("ends before" in finding.quantity for finding in found)


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_that_learn_nothing_decide_nothing(seeds, tmp_path):
    ds = planted(seeds).isel(learning_rate=slice(0, 3))
    mnist.report({"float64": ds.assign(test_accuracy=ds["test_accuracy"] * 0)}, tmp_path, **SETTINGS)
    assert set(verdicts(tmp_path).values()) == {"not comparable"}


def test_s2_finds_the_planted_exponents(tmp_path):
    s2.report(planted(), tmp_path, level=0.05)
    assert verdicts(tmp_path)["λ, steepest window"] == "not comparable"
    (first, *_) = json.loads((tmp_path / "findings.json").read_text())["findings"]
    assert first["ours"].endswith("at η = 0.25; above 0.05 at η = 2, 4, 8")
    with xr.open_zarr(tmp_path / "summary.zarr", consolidated=False) as summary:
        eta = summary["learning_rate"].values
        # the steepest window is 30 of the 40 steps that grow
        found = stats.bounds(summary["steepest_tangent"])[0]
        np.testing.assert_allclose(found, np.maximum(0.2 * np.log(eta), 1e-4), rtol=0.03)


def test_s2_on_one_seed_and_a_run_that_dies(tmp_path):
    ds = planted(1)
    dead = ds["time"] > 5
    ds = ds.assign({name: ds[name].where(~dead) for name in ("growth", "distance")})
    s2.report(ds, tmp_path, level=0.05)
    assert set(verdicts(tmp_path).values()) == {"not comparable"}
