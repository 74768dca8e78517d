"""Sets of TensorFlow Datasets, read from a prepared folder without TensorFlow."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import hydra
import hydra.utils
import numpy as np
import pytest
import tensorflow_datasets
from conftest import edited
from sklearn.datasets import load_iris

from chaosjax import datasets
from chaosjax.datasets import _tensorflow_sets as tensorflow_sets

pytestmark = pytest.mark.usefixtures("module_cache")

IRIS_DANOVSKI = "9b07ac6965a4d47da3dfa5717ffc553a1c398a811c748d232e21e16f29549a5b"
"""Checksum of the prepared Iris, raw, as the study split it."""


@pytest.fixture(scope="module")
def mnist_process(tfds_dir, module_cache):
    """MNIST is decoded once, in a process of its own that shows what reading it imports and prints."""
    script = "import sys; from chaosjax import datasets; datasets.tfds('mnist', train_samples=1)"
    script += "; print('tensorflow' in sys.modules)"
    return subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def mnist(mnist_process):
    return datasets.tfds("mnist")


def supervised(*keys):
    return {"supervisedKeys": {"tuple": {"items": [{"featureKey": key} for key in keys]}}}


def split(name):
    template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    return {"filepathTemplate": template, "name": name, "numBytes": "7800", "shardLengths": ["150"]}


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

    def test_iris_of_the_study_needs_no_files(self, monkeypatch):
        monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
        monkeypatch.setenv("HOME", "/nobody")
        assert datasets.iris_danovski().checksum == IRIS_DANOVSKI

    def test_iris_of_the_study_is_the_prepared_set(self, tfds_dir):
        assert datasets.tfds("iris", scaling="raw").checksum == IRIS_DANOVSKI

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

    def test_sets_of_the_studies(self, mnist):
        conf = str(Path(__file__).parents[1] / "conf")
        with hydra.initialize_config_dir(conf, version_base="1.3"):
            names = ("mnist_5k", "iris_danovski")
            configs = {name: hydra.compose("config", [f"dataset={name}"]).dataset for name in names}
        few = hydra.utils.instantiate(configs["mnist_5k"])
        assert np.bincount(few.train_targets).tolist() == [500] * 10
        np.testing.assert_array_equal(few.test_inputs, mnist.test_inputs)
        iris = hydra.utils.instantiate(configs["iris_danovski"])
        assert iris.checksum == datasets.tfds("iris", scaling="raw").checksum
