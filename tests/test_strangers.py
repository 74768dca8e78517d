"""A stranger's files: nothing in a store, a job's folder, a cache or a table is executed, and nothing overwritten."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import yaml
from test_damage import sweep

import chaosjax as cj


class Bomb:
    """Unpickled, it makes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "executed"


@pytest.mark.parametrize("use", [cj.open_sweep, cj.verify, lambda store: sweep(store, resume=True), sweep])
@pytest.mark.parametrize("kind", ["pickles", "codec", "foreign", "file"])
def test_a_strangers_store(tmp_path, mark, use, kind):
    store = tmp_path / "a.zarr"
    if kind == "file":
        store.write_bytes(pickle.dumps(Bomb(mark)))
    elif kind == "foreign":
        store.mkdir()
        (store / "notes.txt").write_text("mine")
    else:
        sweep(store)
        if kind == "pickles":
            for file in list(store.rglob("c/*/*")):
                file.write_bytes(pickle.dumps(Bomb(mark)))
        else:
            data = json.loads((store / "loss/zarr.json").read_text())
            data["codecs"] = [{"name": "numcodecs.pickle", "configuration": {}}]
            (store / "loss/zarr.json").write_text(json.dumps(data))
    before = tree(tmp_path)
    if use is cj.verify and kind in ("pickles", "codec"):
        assert not cj.verify(store).intact
    else:
        with pytest.raises((ValueError, FileExistsError)):
            use(store)
    assert tree(tmp_path) == before
    assert not mark.exists()


def test_a_strangers_multirun(tmp_path, mark):
    job = tmp_path / "runs" / "one"
    (job / ".hydra").mkdir(parents=True)
    sweep(job / "sweep.zarr")
    (job / ".hydra/overrides.yaml").write_text(f"- !!python/object/apply:pathlib.Path.touch [{mark}]\n")
    with pytest.raises(yaml.YAMLError):
        cj.open_multirun(tmp_path / "runs")
    assert not mark.exists()


def test_a_strangers_table(tmp_path, mark):
    table = tmp_path / "a.csv"
    table.write_text(f"x,y\n=cmd|'touch {mark}',1\n__import__('os').system('touch {mark}'),2\n")
    with pytest.raises(ValueError, match="x"):
        cj.datasets.csv(str(table), target="y")
    np.save(tmp_path / "a.npy", np.array([Bomb(mark)], object), allow_pickle=True)
    with pytest.raises((ValueError, TypeError, FileNotFoundError)):
        cj.datasets.csv(str(tmp_path / "a.npy"), target="y")
    assert not mark.exists()
