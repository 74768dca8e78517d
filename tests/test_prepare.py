"""The cache of decoded sets, and the command that prepares one."""

import errno
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from conftest import edited

from chaosjax import datasets
from chaosjax.datasets import prepare
from chaosjax.datasets._cache import cached

pytestmark = pytest.mark.usefixtures("module_cache")


class TestCache:
    @pytest.mark.parametrize("damage", [lambda content: content[:-200], lambda content: b"no archive"])
    def test_damaged_file_is_rebuilt(self, tfds_dir, own_cache, damage):
        checksum = datasets.tfds("iris").checksum
        files = sorted(own_cache.iterdir())
        intact = {path: np.load(path)["inputs"] for path in files}
        for path in files:
            path.write_bytes(damage(path.read_bytes()))
        assert datasets.tfds("iris").checksum == checksum
        assert sorted(own_cache.iterdir()) == files
        for path in files:
            np.testing.assert_array_equal(np.load(path)["inputs"], intact[path])

    def test_second_call_does_not_decode(self, own_cache):
        samples = np.arange(6.0).reshape(3, 2), np.arange(3)
        cached("key", lambda: samples)
        stored = cached("key", lambda: pytest.fail("decoded again"))
        for again, before in zip(stored, samples, strict=True):
            np.testing.assert_array_equal(again, before)

    def test_other_content_under_the_same_name_is_not_mixed_up(self, tfds_dir, tmp_path, own_cache):
        here = datasets.tfds("iris", scaling="raw")
        folder = edited(tfds_dir, tmp_path)
        (path,) = folder.glob("iris/*/*array_record*")
        records = ArrayRecordReader(str(path)).read_all()
        writer = ArrayRecordWriter(str(path), "group_size:1")
        for record in reversed(records):
            writer.write(record)
        writer.close()
        there = datasets.tfds("iris", scaling="raw", data_dir=folder)
        np.testing.assert_array_equal(there.train_inputs[:30], here.test_inputs[::-1])

    def test_unwritable_folder_is_a_warning(self, tfds_dir, tmp_path, monkeypatch):
        expected = datasets.tfds("iris").checksum
        (tmp_path / "file").touch()
        monkeypatch.setenv("CHAOSJAX_CACHE", str(tmp_path / "file" / "cache"))
        with pytest.warns(RuntimeWarning, match=r"could not be cached in .*file/cache \(Not a directory\)"):
            dataset = datasets.tfds("iris")
        assert dataset.checksum == expected

    def test_full_disk_is_a_warning_and_leaves_nothing(self, own_cache, monkeypatch):
        def full(file, **arrays):
            file.write(b"begun")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(np, "savez", full)
        samples = np.ones((2, 2)), np.ones(2)
        with pytest.warns(RuntimeWarning, match="No space left on device"):
            assert cached("key", lambda: samples) is samples
        assert list(own_cache.iterdir()) == []


class TestPrepare:
    @pytest.fixture
    def extra(self, monkeypatch):
        monkeypatch.setattr(prepare, "find_spec", lambda module: module)

    def test_missing_extra(self, monkeypatch):
        monkeypatch.setattr(prepare, "find_spec", lambda module: None)
        with pytest.raises(SystemExit) as stop:
            prepare.main(["mnist"])
        assert stop.value.code == (
            "preparing a data set needs tensorflow and importlib_resources: pip install 'chaosjax[prepare]'"
        )

    def test_unknown_name(self, extra, tmp_path):
        with pytest.raises(SystemExit, match=r"minst could not be prepared in .* did you mean 'mnist'"):
            prepare.main(["minst", "--data_dir", str(tmp_path)])

    def test_writes_array_record_to_the_folder(self, extra, tmp_path, monkeypatch, capsys):
        calls = []

        class Builder:
            data_dir = tmp_path / "mnist" / "3.0.1"

            def __init__(self, name, **settings):
                calls.append((name, settings))

            def download_and_prepare(self, download_config):
                calls.append(download_config.try_download_gcs)

        monkeypatch.setattr(tensorflow_datasets, "builder", Builder)
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        prepare.main(["mnist"])
        assert calls == [("mnist", {"data_dir": str(tmp_path), "file_format": "array_record"}), False]
        assert capsys.readouterr().out == f"mnist is prepared in {tmp_path}/mnist/3.0.1\n"

    def test_no_network_is_one_line(self, extra, tmp_path, monkeypatch):
        def unreachable(name, **settings):
            raise ConnectionError("Max retries\nexceeded")

        monkeypatch.setattr(tensorflow_datasets, "builder", unreachable)
        with pytest.raises(SystemExit) as stop:
            prepare.main(["mnist", "--data_dir", str(tmp_path)])
        assert stop.value.code == f"mnist could not be prepared in {tmp_path}: Max retries exceeded"

    def test_is_a_command(self):
        command = [sys.executable, "-W", "error", "-m", "chaosjax.datasets.prepare", "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, check=True)
        assert "--data_dir" in shown.stdout
        assert shown.stderr == ""
