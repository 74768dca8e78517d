"""Datasets against known facts about them, and the errors of those that cannot be read."""

import errno
import inspect
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hydra.utils
import numpy as np
import pytest
import tensorflow_datasets
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from omegaconf import OmegaConf
from sklearn.datasets import load_digits, load_iris

from chaosjax import datasets
from chaosjax.datasets import prepare, tensorflow_sets
from chaosjax.datasets.cache import cached

CONFIGS = sorted(Path(__file__).parent.parent.glob("conf/dataset/*.yaml"))
WITHOUT_FILES = ("digits", "iris", "spirals", "teacher_student")


@pytest.fixture(scope="module", autouse=True)
def module_cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHAOSJAX_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def tfds_dir():
    folder = os.environ.get("TFDS_DATA_DIR")
    if not folder:
        pytest.skip("TFDS_DATA_DIR is not set: it names the folder of prepared mnist, cifar10 and iris")
    return Path(folder)


@pytest.fixture(scope="module")
def mnist_process(tfds_dir, module_cache):
    """MNIST is decoded once, in a process of its own that shows what reading it imports and prints."""
    script = "import sys; from chaosjax import datasets; datasets.tfds('mnist', train_samples=1)"
    script += "; print('tensorflow' in sys.modules)"
    return subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def mnist(mnist_process):
    return datasets.tfds("mnist")


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHAOSJAX_CACHE", str(folder))
    return folder


def small(**changes):
    fields = {
        "train_inputs": np.arange(12.0).reshape(4, 3),
        "train_targets": np.array([0, 1, 0, 1]),
        "test_inputs": np.ones((2, 3)),
        "test_targets": np.array([0, 1]),
        "outputs": 2,
        "attrs": {"name": "small"},
    }
    return datasets.Dataset(**{**fields, **changes})


def edited(tfds_dir, tmp_path, **information):
    """A copy of the prepared Iris set with changed entries of its dataset_info.json."""
    shutil.copytree(tfds_dir / "iris", tmp_path / "iris")
    (path,) = tmp_path.glob("iris/*/dataset_info.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **information}))
    return tmp_path


def supervised(*keys):
    return {"supervisedKeys": {"tuple": {"items": [{"featureKey": key} for key in keys]}}}


def split(name):
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    return {"filepathTemplate": template, "name": name, "numBytes": "7800", "shardLengths": ["150"]}


class TestDataset:
    def test_types_are_unified_and_arrays_read_only(self):
        own = np.arange(12, dtype=np.float32).reshape(4, 3)
        dataset = small(train_inputs=own)
        assert dataset.train_inputs.dtype == np.float64
        assert dataset.train_targets.dtype == np.int32
        with pytest.raises(ValueError, match="read-only"):
            dataset.test_inputs[0, 0] = 2.0
        own[0, 0] = 7.0

    def test_checksum_is_stable_and_sees_every_array(self):
        checksum = small().checksum
        assert len(checksum) == 64
        assert small().checksum == checksum == pickle.loads(pickle.dumps(small())).checksum
        pixel = np.arange(12.0).reshape(4, 3)
        pixel[2, 1] = np.nextafter(pixel[2, 1], 99.0)
        changed = [
            small(train_inputs=pixel),
            small(test_inputs=np.ones((2, 3)) * 2),
            small(train_targets=np.array([1, 1, 0, 1])),
            small(test_targets=np.array([1, 1])),
            small(train_inputs=pixel.reshape(4, 3, 1), test_inputs=np.ones((2, 3, 1))),
        ]
        assert len({checksum, *(dataset.checksum for dataset in changed)}) == 6

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"train_inputs": np.full((4, 3), np.nan)}, "train_inputs hold a value that is not finite"),
            ({"test_inputs": np.full((2, 3), np.inf)}, "test_inputs hold a value that is not finite"),
            ({"train_inputs": np.ones((3, 3))}, "train_inputs hold 3 samples and train_targets 4"),
            (
                {"train_inputs": np.ones((0, 3)), "train_targets": np.ones(0, int)},
                r"train_inputs have shape \(0, 3\)",
            ),
            (
                {"test_inputs": np.ones((0, 3)), "test_targets": np.ones(0, int)},
                r"test_inputs have shape \(0, 3\)",
            ),
            ({"test_inputs": np.ones(2)}, r"test_inputs have shape \(2,\)"),
            ({"test_inputs": np.ones((2, 4))}, "train_inputs hold float64 of shape .* they must be the same"),
            ({"test_targets": np.ones((2, 2))}, "train_targets hold int32 .* they must be the same"),
            ({"test_targets": np.array([0, 2])}, r"labels from 0 to 2; .* must lie in 0 ... 1"),
            ({"train_targets": np.array([0, -1, 0, 1])}, "labels from -1 to 1"),
            ({"train_targets": np.ones((4, 3))}, r"train_targets have shape \(4, 3\); with outputs=2"),
            ({"train_targets": np.full((4, 2), np.nan)}, "train_targets hold a value that is not finite"),
        ],
    )
    def test_bad_arrays(self, changes, message):
        with pytest.raises(ValueError, match=message):
            small(**changes)


class TestScikitSets:
    def test_iris_is_scikit_learns(self):
        dataset = datasets.iris()
        inputs, labels = load_iris(return_X_y=True)
        together = np.vstack([dataset.train_inputs, dataset.test_inputs])
        assert Counter(map(tuple, together)) == Counter(map(tuple, inputs))
        assert np.bincount(dataset.train_targets).tolist() == [40, 40, 40]
        assert np.bincount(dataset.test_targets).tolist() == [10, 10, 10]
        by_flower = dict(zip(map(tuple, inputs), labels, strict=True))
        assert dataset.train_targets.tolist() == [by_flower[tuple(row)] for row in dataset.train_inputs]

    def test_digits_are_scikit_learns(self):
        dataset = datasets.digits(scaling="raw")
        together = np.vstack([dataset.train_inputs, dataset.test_inputs])
        assert dataset.train_inputs.shape == (1437, 64)
        assert dataset.test_inputs.shape == (360, 64)
        assert Counter(map(tuple, together)) == Counter(map(tuple, load_digits(return_X_y=True)[0]))
        counts = np.bincount(np.concatenate([dataset.train_targets, dataset.test_targets]))
        assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
        assert np.abs(np.bincount(dataset.test_targets) - counts * 360 / 1797).max() < 1
        json.dumps(dataset.attrs)

    def test_scaling_of_images(self):
        raw, unit, standardised = (datasets.digits(scaling=s) for s in ("raw", "unit", "standardised"))
        np.testing.assert_array_equal(unit.test_inputs, raw.test_inputs / 16)
        mean, deviation = raw.train_inputs.mean(), raw.train_inputs.std()
        np.testing.assert_allclose(standardised.test_inputs, (raw.test_inputs - mean) / deviation, atol=1e-12)
        assert np.isfinite(standardised.train_inputs).all()  # some pixels of digits are always 0

    def test_scaling_of_tables(self):
        raw, unit, standardised = (datasets.iris(scaling=s) for s in ("raw", "unit", "standardised"))
        low, high = raw.train_inputs.min(0), raw.train_inputs.max(0)
        np.testing.assert_allclose(unit.test_inputs, (raw.test_inputs - low) / (high - low), atol=1e-12)
        np.testing.assert_allclose(standardised.train_inputs.mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(standardised.train_inputs.std(0), 1, atol=1e-12)
        mean, deviation = raw.train_inputs.mean(0), raw.train_inputs.std(0)
        np.testing.assert_allclose(standardised.test_inputs, (raw.test_inputs - mean) / deviation, atol=1e-12)

    def test_targets(self):
        labels, one_hot, signs = (datasets.iris(targets=t) for t in ("labels", "one_hot", "plus_minus_one"))
        assert one_hot.train_targets.shape == (120, 3)
        np.testing.assert_array_equal(one_hot.train_targets.sum(1), 1)
        np.testing.assert_array_equal(one_hot.train_targets.argmax(1), labels.train_targets)
        np.testing.assert_array_equal(signs.test_targets, np.where(one_hot.test_targets == 1, 1, -1))

    def test_images_keep_their_shape(self):
        flat, images = datasets.digits(), datasets.digits(flatten=False)
        assert images.train_inputs.shape == (1437, 8, 8, 1)
        np.testing.assert_array_equal(images.train_inputs.reshape(1437, 64), flat.train_inputs)

    def test_seed_fixes_the_split(self):
        assert datasets.digits().checksum == datasets.digits(seed=0).checksum
        assert datasets.digits().checksum != datasets.digits(seed=1).checksum

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"scaling": "unti"}, "scaling='unti' is not one of unit, raw, standardised"),
            ({"targets": "onehot"}, "targets='onehot' is not one of labels, one_hot, plus_minus_one"),
            ({"test_samples": 150}, "test_samples=150: of 150 samples 3 to 147"),
            ({"test_samples": 0}, "test_samples=0: of 150 samples 3 to 147"),
        ],
    )
    def test_bad_arguments(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            datasets.iris(**arguments)


class TestSyntheticSets:
    def test_teacher_is_fixed_by_its_seed(self):
        assert datasets.teacher_student().checksum == datasets.teacher_student().checksum
        assert datasets.teacher_student().checksum != datasets.teacher_student(seed=1).checksum

    def test_more_samples_or_noise_leave_the_teacher_as_it_is(self):
        few, many = datasets.teacher_student(samples=50), datasets.teacher_student(samples=20_000)
        noisy = datasets.teacher_student(samples=20_000, noise=0.5)
        np.testing.assert_array_equal(few.train_inputs, many.train_inputs[:50])
        np.testing.assert_allclose(few.train_targets, many.train_targets[:50], rtol=1e-12)
        np.testing.assert_array_equal(noisy.test_targets, many.test_targets)
        disturbance = noisy.train_targets - many.train_targets
        assert abs(disturbance.std() - 0.5) < 4 * 0.5 / np.sqrt(2 * 20_000)

    def test_teacher_output_has_the_variance_of_its_formula(self):
        dataset = datasets.teacher_student(samples=1000, features=1000, width=1000, outputs=100)
        nodes, weights = np.polynomial.hermite_e.hermegauss(101)
        expected = weights @ np.tanh(nodes) ** 2 / weights.sum()
        assert abs(np.mean(dataset.train_targets**2) - expected) < 0.02

    @pytest.mark.parametrize("classes", [2, 3])
    def test_spirals_without_noise_lie_on_their_arms(self, classes):
        dataset = datasets.spirals(samples=90, classes=classes, turns=1.5, noise=0.0)
        x, y = dataset.train_inputs.T
        winding = np.arctan2(y, x) / (2 * np.pi) - 1.5 * np.hypot(x, y) - dataset.train_targets / classes
        np.testing.assert_allclose(winding - np.round(winding), 0, atol=1e-12)
        assert np.bincount(dataset.train_targets).tolist() == [90 // classes] * classes

    @pytest.mark.parametrize(
        ("make", "arguments", "message"),
        [
            (datasets.teacher_student, {"width": 0}, "width=0 must be at least 1"),
            (datasets.teacher_student, {"noise": -1.0}, "noise=-1.0 must be 0 or more"),
            (datasets.spirals, {"samples": 0}, "samples=0 must be at least 1"),
            (datasets.spirals, {"noise": float("nan")}, "noise=nan must be 0 or more"),
        ],
    )
    def test_bad_arguments(self, make, arguments, message):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


class TestTfds:
    def test_reading_needs_no_tensorflow_and_prints_nothing(self, mnist_process):
        assert (mnist_process.returncode, mnist_process.stdout, mnist_process.stderr) == (0, "False\n", "")

    def test_mnist_is_the_published_set(self, mnist):
        assert mnist.train_inputs.shape == (60_000, 784)
        assert mnist.test_inputs.shape == (10_000, 784)
        counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
        assert np.bincount(mnist.train_targets).tolist() == counts
        assert round(mnist.train_inputs.mean(), 4) == 0.1307
        assert round(mnist.train_inputs.std(), 4) == 0.3081
        json.dumps(mnist.attrs)

    def test_cached_arrays_are_the_decoded_ones(self, mnist, tfds_dir):
        builder: Any = tensorflow_datasets.builder("mnist", data_dir=tfds_dir)
        samples = builder.as_data_source(split="test").__getitems__([0, 999, 1000, 9999])
        for row, sample in zip([0, 999, 1000, 9999], samples, strict=True):
            np.testing.assert_array_equal(mnist.test_inputs[row], sample["image"].ravel() / 255.0)
            assert mnist.test_targets[row] == sample["label"]

    def test_first_samples_raw(self, mnist):
        dataset = datasets.tfds("mnist", train_samples=50, test_samples=20, scaling="raw", flatten=False)
        assert dataset.train_inputs.shape == (50, 28, 28, 1)
        np.testing.assert_array_equal(dataset.test_inputs.reshape(20, 784) / 255.0, mnist.test_inputs[:20])
        assert dataset.train_inputs.max() == 255.0

    def test_cifar10_images(self, tfds_dir):
        builder = tensorflow_datasets.builder("cifar10", data_dir=tfds_dir)
        inputs, labels = tensorflow_sets.split_samples(builder, "test[:200]", "image", "label")
        assert inputs.shape == (200, 32, 32, 3)
        assert inputs.dtype == np.uint8
        assert set(labels) == set(range(10))
        assert 100 < inputs.mean() < 140  # the published mean over all pixels is 121

    def test_iris_in_the_order_of_the_study(self, tfds_dir):
        dataset = datasets.tfds("iris", scaling="raw")
        assert (len(dataset.train_inputs), len(dataset.test_inputs)) == (120, 30)
        builder: Any = tensorflow_datasets.builder("iris", data_dir=tfds_dir)
        stored = builder.as_data_source(split="train")
        together = np.vstack([dataset.train_inputs, dataset.test_inputs])
        np.testing.assert_array_equal(together, np.stack([sample["features"] for sample in stored]))
        labels = np.concatenate([dataset.train_targets, dataset.test_targets])
        assert np.bincount(labels).tolist() == [50, 50, 50]
        # UCI's file has two flowers with typing errors, which scikit-learn corrects.
        flowers, published = (
            Counter(map(tuple, x.round(1))) for x in (together, np.asarray(load_iris(return_X_y=True)[0]))
        )
        assert (flowers - published).total() == 2

    def test_balanced_takes_the_first_of_each_class(self, tfds_dir):
        everything = datasets.tfds("iris")
        dataset = datasets.tfds("iris", scaling="raw", train_samples=30, balanced=True)
        seen, rows = Counter(), []
        for row, label in enumerate(everything.train_targets):
            seen[label] += 1
            if seen[label] <= 10:
                rows.append(row)
        np.testing.assert_array_equal(dataset.train_targets, everything.train_targets[rows])
        np.testing.assert_array_equal(dataset.train_inputs, datasets.tfds("iris", scaling="raw").train_inputs[rows])
        assert len(dataset.test_inputs) == 30

    def test_statistics_are_those_of_the_training_samples_used(self, tfds_dir):
        raw = datasets.tfds("iris", scaling="raw", train_samples=20)
        scaled = datasets.tfds("iris", scaling="standardised", train_samples=20)
        mean, deviation = raw.train_inputs.mean(0), raw.train_inputs.std(0)
        np.testing.assert_allclose(scaled.test_inputs, (raw.test_inputs - mean) / deviation, atol=1e-12)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (
                {"name": "irsi"},
                "dataset 'irsi' is not a known .* set of TensorFlow Datasets; did you mean 'iris",
            ),
            ({"name": "no such set"}, "name='no such set' must be of the form"),
            ({"name": "iris", "train_samples": 121}, "train_samples=121: the split has 120 samples"),
            ({"name": "iris", "test_samples": 0}, "test_samples=0: the split has 30 samples"),
            (
                {"name": "iris", "train_samples": 31, "balanced": True},
                "train_samples=31: balanced=True needs a multiple of the 3 classes",
            ),
            (
                {"name": "iris", "train_samples": 120, "balanced": True},
                "train_samples=120, balanced=True: class 1 has only 39 samples, so at most 117",
            ),
            ({"name": "iris", "balanced": True}, "balanced=True needs train_samples or test_samples"),
            ({"name": "iris", "scaling": "none"}, "scaling='none' is not one of"),
        ],
    )
    def test_bad_arguments(self, tfds_dir, arguments, message):
        with pytest.raises(ValueError, match=message):
            datasets.tfds(**arguments)

    def test_unprepared_set_names_folder_and_command(self, tmp_path):
        folder = tmp_path / "my data"
        with pytest.raises(FileNotFoundError) as error:
            datasets.tfds("fashion_mnist", data_dir=folder)
        assert f"'fashion_mnist' is not prepared in {folder}." in str(error.value)
        command = f"python -m chaosjax.datasets.prepare fashion_mnist --data_dir '{folder}'"
        assert str(error.value).endswith(f"pip install 'chaosjax[prepare]' && {command}")

    def test_default_folder_is_that_of_tensorflow_datasets(self, monkeypatch):
        monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
        monkeypatch.setenv("HOME", "/nobody")
        with pytest.raises(FileNotFoundError, match="not prepared in /nobody/tensorflow_datasets"):
            datasets.tfds("mnist")

    @pytest.mark.parametrize(
        ("information", "message"),
        [
            ({"fileFormat": "tfrecord"}, "not as array_record, .*\n.*prepare iris --data_dir OTHER_FOLDER"),
            ({"supervisedKeys": None}, "dataset 'iris' is not a classification set"),
            (supervised("label", "features"), "dataset 'iris' is not a classification set"),
            (
                supervised("label", "label"),
                "its input 'label' is ClassLabel.*only images and feature vectors",
            ),
            ({"splits": [split("test")]}, "dataset 'iris' has no split 'train', only test"),
        ],
    )
    def test_sets_that_cannot_be_used(self, tfds_dir, tmp_path, information, message):
        with pytest.raises(ValueError, match=message):
            datasets.tfds("iris", data_dir=edited(tfds_dir, tmp_path, **information))

    def test_inputs_of_varying_size(self, tfds_dir, tmp_path):
        folder = edited(tfds_dir, tmp_path)
        (path,) = folder.glob("iris/*/features.json")
        path.write_text(path.read_text().replace('"4"', '"-1"'))
        with pytest.raises(ValueError, match=r"its input 'features' is Tensor\(shape=\(None,\)"):
            datasets.tfds("iris", data_dir=folder)

    def test_samples_without_label(self, tfds_dir, monkeypatch):
        unlabelled = np.ones((2, 4)), np.array([-1, -1])
        monkeypatch.setattr(tensorflow_sets, "split_samples", lambda *arguments: unlabelled)
        with pytest.raises(ValueError, match=r"the split 'train\[:80%\]' has samples without a label"):
            datasets.tfds("iris")

    def test_validation_split_where_there_is_no_test_split(self, tfds_dir, tmp_path):
        folder = edited(tfds_dir, tmp_path, splits=[split("train"), split("validation")])
        (path,) = folder.glob("iris/*/*array_record*")
        shutil.copy(path, path.with_name(path.name.replace("train", "validation")))
        dataset = datasets.tfds("iris", data_dir=folder)
        np.testing.assert_array_equal(dataset.test_inputs, dataset.train_inputs)
        assert dataset.attrs["test_split"] == "validation"


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


class TestConfigs:
    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_writes_out_every_argument(self, path):
        config = OmegaConf.to_container(OmegaConf.load(path))
        assert isinstance(config, dict)
        function = hydra.utils.get_method(config.pop("_target_"))
        assert set(config) == set(inspect.signature(function).parameters)

    @pytest.mark.parametrize("name", WITHOUT_FILES)
    def test_states_the_defaults(self, name):
        config = OmegaConf.load(next(path for path in CONFIGS if path.stem == name))
        assert hydra.utils.instantiate(config).checksum == getattr(datasets, name)().checksum

    def test_sets_of_the_studies(self, mnist):
        configs = {path.stem: OmegaConf.load(path) for path in CONFIGS}
        few = hydra.utils.instantiate(configs["mnist_5k"])
        assert np.bincount(few.train_targets).tolist() == [500] * 10
        np.testing.assert_array_equal(few.test_inputs, mnist.test_inputs)
        iris = hydra.utils.instantiate(configs["iris_study"])
        assert iris.checksum == datasets.tfds("iris", scaling="raw").checksum
