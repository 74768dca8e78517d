"""What happens to files of a store: whatever is lost or altered is found, and computed again or named."""

import json
import shutil

import cases
import numpy as np
import optax
import pytest
import zarr
from conftest import Interrupted

import chaosjax as cj

SYSTEM = cj.training(cases.problem(), optax.sgd)
CHUNK_KEY = "c/0/{}"


def sweep(store, **options):
    """Nine records in chunks of two."""
    settings = {"steps": 8, "chunk": 2, "cells_per_batch": 2, "progress": False, **options}
    return cj.sweep(SYSTEM, {"loss": cj.probes.loss()}, {"learning_rate": [0.1, 0.2]}, store=store, **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "a.zarr"
    sweep(folder)
    return folder


@pytest.fixture
def whole(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "whole.zarr")


@pytest.fixture
def cut(tmp_path, interrupt):
    """An unfinished store: eight records, checkpoints at 4 and 6."""
    interrupt(after=4)
    with pytest.raises(Interrupted):
        sweep(tmp_path / "cut.zarr")
    return tmp_path / "cut.zarr"


def flip(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def shorten(file):
    file.write_bytes(file.read_bytes()[:-3])


def remove(file):
    file.unlink()


def empty(file):
    file.write_bytes(b"")


def edited(file, change):
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))


def shape(data):
    data["shape"][-1] -= 1


def dtype(data):
    data["data_type"] = "int8"


def fill(data):
    data["fill_value"] = 7


def units(data):
    data["attributes"]["units"] = "bits"


HARMS = [remove, shorten, empty, flip]


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["loss/c/0/1", "alive/c/0/4", "diverged_at/c/0", "time/c/0", "learning_rate/c/0"])
def test_a_finished_store_names_its_damage(whole, name, harm):
    assert cj.verify(whole).intact
    harm(whole / name)
    found = cj.verify(whole)
    assert found.finished
    assert len(found.damage) == 1
    assert found.damage[0].startswith(name.split("/")[0])
    with pytest.raises(ValueError, match="is damaged"):
        sweep(whole, resume=True)
    with pytest.raises(ValueError, match="is damaged"):
        cj.open_sweep(whole)


@pytest.mark.parametrize("change", [shape, dtype, fill, units])
@pytest.mark.parametrize("name", ["loss", "time", "learning_rate", "diverged_at"])
def test_altered_metadata_is_named(whole, name, change):
    edited(whole / name / "zarr.json", change)
    (told,) = cj.verify(whole).damage
    assert told.startswith(f"{name}: its metadata")
    with pytest.raises(ValueError, match=f"damaged \\({name}: its metadata"):
        sweep(whole, resume=True)


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", ["zarr.json", "loss/zarr.json"])
def test_metadata_that_cannot_be_read_are_named(whole, name, harm):
    harm(whole / name)
    for use in (cj.open_sweep, lambda store: sweep(store, resume=True)):
        with pytest.raises(ValueError, match=r"is damaged|is no store that sweep has made"):
            use(whole)


def test_coordinates_are_held_against_the_identity(whole):
    zarr.open_group(whole)["learning_rate"][:] = [0.1, 0.3]
    assert cj.verify(whole).damage == ("learning_rate: the coordinates are not those of the run",)


def test_a_mark_of_the_end_that_was_added_is_not_believed(cut):
    edited(cut / "zarr.json", lambda data: data["attributes"].update(finished="2026-01-01", length=9, recorded=9))
    assert not cj.verify(cut).intact
    with pytest.raises(ValueError, match="the attributes do not match their checksum"):
        sweep(cut, resume=True)


@pytest.mark.parametrize(
    ("name", "record"), [("loss/c/0/2", 4), ("alive/c/0/0", 0), ("diverged_at/c/0", 6), ("loss/c/0/1", 0)]
)
@pytest.mark.parametrize("harm", HARMS)
def test_lost_records_are_computed_again_from_the_last_checkpoint_before_them(cut, finished, harm, name, record):
    harm(cut / name)
    with pytest.warns(RuntimeWarning, match=f"was damaged.*computed again from record {record} on"):
        resumed = sweep(cut, resume=True)
    np.testing.assert_array_equal(resumed.loss, cj.open_sweep(finished).loss)
    assert cj.verify(cut).intact


@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("file", ["c/0", "zarr.json"])
def test_a_damaged_checkpoint_is_passed_over(cut, finished, harm, file):
    harm(cut / "checkpoints/000000000006" / file)
    if harm is remove and file == "zarr.json":  # as a kill leaves it
        resumed = sweep(cut, resume=True)
    else:
        assert not cj.verify(cut).intact
        with pytest.warns(RuntimeWarning, match="000000000006: the checkpoint was altered"):
            resumed = sweep(cut, resume=True)
    np.testing.assert_array_equal(resumed.loss, cj.open_sweep(finished).loss)


@pytest.mark.parametrize("harm", HARMS)
def test_what_was_written_behind_the_checkpoint_does_not_matter(cut, finished, harm):
    harm(cut / "loss/c/0/3")
    np.testing.assert_array_equal(sweep(cut, resume=True).loss, cj.open_sweep(finished).loss)


@pytest.mark.parametrize(("number", "age"), [(None, "an older"), (99, "a newer")])
def test_a_store_of_another_format_is_named_and_left_alone(whole, number, age):
    def change(data):
        del data["attributes"]["checksum"], data["attributes"]["format"]
        data["attributes"].update({} if number is None else {"format": number})

    edited(whole / "zarr.json", change)
    before = (whole / "zarr.json").read_bytes()
    for use in (cj.open_sweep, cj.verify, lambda store: sweep(store, resume=True)):
        with pytest.raises(ValueError, match=f"of {age} chaosjax"):
            use(whole)
    assert (whole / "zarr.json").read_bytes() == before


def test_a_chunk_of_missing_values_is_there(tmp_path):
    """All of a chunk's values equal to the fill value: zarr alone would not write it."""
    late = {"loss": cj.probes.delayed(7, cj.probes.loss())}
    store = tmp_path / "a.zarr"
    cj.sweep(SYSTEM, late, {"learning_rate": [0.1]}, steps=8, chunk=2, store=store, progress=False)
    assert cj.verify(store).intact


def test_an_early_end_is_no_damage(tmp_path):
    """Every cell has diverged: nothing is written behind the last death."""
    store = tmp_path / "a.zarr"
    probes = {"x": cj.probes.reading(lambda transition: transition.x)}
    cj.sweep(cases.logistic(), probes, {"r": [50.0, 60.0]}, steps=40, chunk=2, store=store, progress=False)
    found = cj.verify(store)
    assert found.intact
    assert found.records < 41
