"""Data sets that need no download, and every configuration, against known facts about them."""

import inspect
import json
import pickle
from collections import Counter
from pathlib import Path

import hydra.utils
import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from sklearn.datasets import load_digits, load_iris

from chaosjax import datasets

CONFIGS = sorted(Path(__file__).parent.parent.glob("conf/dataset/*.yaml"))
WITHOUT_FILES = ("chebyshev", "digits", "iris", "pointers", "spirals", "teacher_student")

pytestmark = pytest.mark.usefixtures("module_cache")


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

    def test_sizes_are_derived_and_stand_in_attrs(self):
        inputs, labels = np.arange(12.0).reshape(4, 3), np.array([0, 2, 0, 1])
        dataset = datasets.Dataset(inputs, labels, inputs[:2], labels[:2])
        sizes = {"train_samples": 4, "test_samples": 2, "outputs": 3, "classes": 3}
        assert (dataset.outputs, dataset.attrs) == (3, {"name": "unnamed", **sizes})
        with pytest.raises(ValueError, match=r"shape \(4,\); .* integer labels \[4\] or numbers \[4, 1\]"):
            datasets.Dataset(inputs, labels * 1.0, inputs[:2], labels[:2] * 1.0)
        numbers = datasets.Dataset(inputs, inputs[:, :2], inputs[:2], inputs[:2, :2])
        assert numbers.attrs == {"name": "unnamed", "train_samples": 4, "test_samples": 2, "outputs": 2}
        for other in (datasets.iris(), datasets.spirals(), datasets.teacher_student()):
            found = (len(other.train_inputs), len(other.test_inputs), other.outputs)
            assert found == tuple(other.attrs[name] for name in ("train_samples", "test_samples", "outputs"))

    def test_repr_is_short(self):
        shown = "Dataset(digits: 1,437 training and 360 test samples of shape (64,), 10 classes)"
        assert repr(datasets.digits()) == shown
        assert repr(datasets.teacher_student()).endswith("512 test samples of shape (20,), 1 outputs)")


class TestArrays:
    inputs, labels = load_iris(return_X_y=True)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_every_sample_is_in_one_set_with_its_label(self, seed):
        dataset = datasets.arrays(self.inputs, self.labels, test=0.3, seed=seed)
        assert len(dataset.test_inputs) == 45
        pairs = zip(
            [*dataset.train_inputs, *dataset.test_inputs],
            [*dataset.train_targets, *dataset.test_targets],
            strict=True,
        )
        found = Counter((*row, label) for row, label in pairs)
        assert found == Counter((*row, label) for row, label in zip(self.inputs, self.labels, strict=True))
        assert np.bincount(dataset.test_targets).tolist() == [15, 15, 15]
        assert dataset.checksum == datasets.arrays(self.inputs, self.labels, 45, seed=seed).checksum
        assert dataset.checksum != datasets.arrays(self.inputs, self.labels, 45, seed=seed + 1).checksum

    def test_classes_keep_their_shares(self):
        labels = np.repeat([0, 1, 2], [100, 37, 13])
        dataset = datasets.arrays(np.ones((150, 1)), labels, test=0.2)
        assert np.abs(np.bincount(dataset.test_targets) - 0.2 * np.array([100, 37, 13])).max() <= 1

    def test_names_become_labels(self):
        names = np.array(["setosa", "versicolor", "virginica"])
        expected = datasets.arrays(self.inputs, self.labels)
        for given in (names[self.labels], list(names[self.labels]), pd.Series(names[self.labels])):
            dataset = datasets.arrays(pd.DataFrame(self.inputs), given)
            assert dataset.checksum == expected.checksum
            assert dataset.attrs["class_names"] == names.tolist()
        assert datasets.arrays(self.inputs, 10 * self.labels - 5).attrs["class_names"] == [-5, 5, 15]
        json.dumps(dataset.attrs)

    def test_what_is_labels_and_what_is_numbers(self):
        n = len(self.inputs)
        values = np.random.default_rng(0).standard_normal(n)
        cases = [
            (values, {}, None),
            (self.labels * 1.0, {}, None),
            (self.labels * 1.0, {"kind": "classes"}, [0, 1, 2]),
            (self.labels, {"kind": "numbers"}, None),
            (np.arange(n) // 2, {}, list(range(n // 2))),
            (np.arange(n), {}, None),
            (np.eye(3)[self.labels], {}, None),
            (self.labels[:, None], {}, [0, 1, 2]),
            (self.labels == 1, {}, [False, True]),
        ]
        for targets, options, names in cases:
            dataset = datasets.arrays(self.inputs, targets, **options)
            assert dataset.attrs.get("class_names") == names
            assert dataset.attrs.get("classes") == (names and len(names))
            shape = () if names else np.reshape(targets, (n, -1)).shape[1:]
            assert dataset.train_targets.shape[1:] == shape

    def test_numbers_stay_beside_their_inputs(self):
        values = self.inputs @ [1.0, 2.0, 3.0, 4.0]
        dataset = datasets.arrays(self.inputs, values, test=7)
        assert dataset.test_targets.shape == (7, 1)
        np.testing.assert_allclose(dataset.test_targets[:, 0], dataset.test_inputs @ [1.0, 2.0, 3.0, 4.0], rtol=1e-14)

    def test_scaling_is_the_training_sets(self):
        raw, dataset = (datasets.arrays(self.inputs, self.labels, scaling=s) for s in ("raw", "standardised"))
        mean, deviation = raw.train_inputs.mean(0), raw.train_inputs.std(0)
        np.testing.assert_allclose(dataset.test_inputs, (raw.test_inputs - mean) / deviation, atol=1e-12)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"inputs": np.where(np.arange(600).reshape(150, 4) == 9, np.nan, 1.0)},
                "inputs miss .* in rows 2; remove",
            ),
            ({"targets": ["a", None] * 75}, "targets miss a value, .* in rows 1, 3, 5, 7, 9 and 70 more"),
            ({"targets": [0.5, np.inf] + [1.0] * 148}, "targets miss a value, .* in rows 1; remove"),
            ({"inputs": [["1", "red"]] * 150}, "inputs hold something that is no number .*'red'.*encode it"),
            ({"targets": ["a", "b"] * 75, "kind": "numbers"}, "targets hold something that is no number"),
            ({"targets": [0, 1]}, "inputs hold 150 samples and targets 2"),
            ({"test": 150}, "test=150 of 150 samples must be a part between 0 and 1 or a number from 1 to 149"),
            ({"test": 0.001}, "test=0.001 of 150 samples"),
            ({"test": 2.5}, "test=2.5 of 150 samples"),
            ({"kind": "labels"}, "kind='labels' is not one of None, classes, numbers"),
            ({"scaling": "none"}, "scaling='none' is not one of unit, raw"),
        ],
    )
    def test_bad_arguments(self, changes, message):
        with pytest.raises(ValueError, match=message):
            datasets.arrays(**{"inputs": self.inputs, "targets": self.labels, **changes})


class TestCsv:
    inputs, labels = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[labels]

    def table(self, folder, header="a,b,c,d,kind", last=names, delimiter=","):
        rows = [delimiter.join([*map(repr, map(float, x)), str(y)]) for x, y in zip(self.inputs, last, strict=True)]
        path = folder / "flowers.csv"
        path.write_text("\n".join([header.replace(",", delimiter)] * bool(header) + rows) + "\n")
        return path

    def test_is_the_arrays(self, tmp_path):
        expected = datasets.arrays(self.inputs, self.names, 30, seed=2)
        path = self.table(tmp_path)
        for target in ("kind", 4, -1):
            dataset = datasets.csv(path, target, 30, seed=2)
            assert dataset.checksum == expected.checksum
        columns = {"inputs": ["a", "b", "c", "d"], "target": ["kind"]}
        assert dataset.attrs == {**expected.attrs, "name": "flowers", "source": "csv", **columns}
        nameless = datasets.csv(self.table(tmp_path, header="", delimiter=";"), -1, 30, seed=2, delimiter=";")
        assert nameless.checksum == expected.checksum

    def test_numbers_several_targets_and_chosen_inputs(self, tmp_path):
        path = self.table(tmp_path, last=self.labels)
        assert datasets.csv(path, "kind").attrs["class_names"] == [0, 1, 2]
        dataset = datasets.csv(path, target=["d", "a"], inputs=["c", 1])
        expected = datasets.arrays(self.inputs[:, [2, 1]], self.inputs[:, [3, 0]])
        assert dataset.checksum == expected.checksum
        assert datasets.csv(path, "a", inputs=["b"]).train_targets.shape == (120, 1)

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            ("", {}, "holds no samples"),
            ("a,b\n", {}, "holds no samples"),
            ("a,b\n1,2\n\n3,?\n4,\n", {}, "column 'b' has no value in lines 4, 5; fill or remove"),
            ("a,b\n1,2\n3,4,5\n", {}, "line 3: 3 cells, others 2; delimiter is ','"),
            ("a,b\n1,2\nx,4\n", {}, "column 'a' holds 'x' in line 3; encode it as numbers, or name the"),
            ("a,b\n1,2\n3,4\n", {"target": "c"}, "target='c' is no column of .*; choose from a, b"),
            ("1,2\n3,4\n", {"target": "c"}, r"target='c' is no column .* choose from 0 … 1 \(it has no line of names"),
            ("a,b\n1,2\n3,4\n", {"inputs": [2]}, "inputs=2 is no column"),
        ],
    )
    def test_bad_tables(self, tmp_path, text, options, message):
        path = tmp_path / "bad.csv"
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            datasets.csv(path, **{"target": "b", **options})

    def test_by_configuration(self, tmp_path):
        configs = {path.stem: OmegaConf.load(path) for path in CONFIGS}
        csv = OmegaConf.merge(configs["csv"], {"path": str(self.table(tmp_path)), "target": "kind"})
        np.save(tmp_path / "inputs.npy", self.inputs)
        np.save(tmp_path / "targets.npy", self.names)
        files = {name: {"file": str(tmp_path / f"{name}.npy")} for name in ("inputs", "targets")}
        made = [hydra.utils.instantiate(config) for config in (csv, OmegaConf.merge(configs["arrays"], files))]
        assert made[0].checksum == made[1].checksum == datasets.arrays(self.inputs, self.names).checksum


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

    def test_the_pointer_names_the_symbol(self):
        dataset = datasets.pointers(samples=300, places=3, symbols=5)
        assert dataset.train_inputs.shape == (300, 4, 8)
        np.testing.assert_array_equal(dataset.train_inputs.sum(axis=2), 1)
        for sequence, label in zip(dataset.train_inputs, dataset.train_targets, strict=True):
            tokens = sequence.argmax(axis=1)
            assert tokens[0] < 3 <= tokens[1:].min()
            assert tokens[1 + tokens[0]] - 3 == label
        counts = np.bincount(dataset.train_targets)
        assert np.abs(counts - 60).max() < 4 * np.sqrt(300 * 0.2 * 0.8)

    def test_chebyshev_is_the_polynomial(self):
        dataset = datasets.chebyshev(degree=3)
        x = dataset.train_inputs
        assert x.shape == (20, 1)
        np.testing.assert_allclose(dataset.train_targets, 4 * x**3 - 3 * x, atol=1e-14)
        np.testing.assert_allclose(dataset.test_inputs[[0, -1], 0], [-1, 1])

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
            (datasets.teacher_student, {"width": 0}, "width=0 must be an integer of at least 1"),
            (datasets.teacher_student, {"noise": -1.0}, "noise=-1.0 must be 0 or more"),
            (datasets.pointers, {"places": 0}, "places=0 must be an integer of at least 1"),
            (datasets.spirals, {"samples": 0}, "samples=0 must be an integer of at least 1"),
            (datasets.spirals, {"noise": float("nan")}, "noise=nan must be 0 or more"),
        ],
    )
    def test_bad_arguments(self, make, arguments, message):
        with pytest.raises(ValueError, match=message):
            make(**arguments)


class TestConfigs:
    @pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
    def test_writes_out_every_argument(self, path):
        with hydra.initialize_config_dir(str(path.parents[1].resolve()), version_base="1.3"):
            composed = hydra.compose("config", [f"dataset={path.stem}"]).dataset
            config: dict = OmegaConf.to_container(composed, throw_on_missing=False)
        function = hydra.utils.get_method(config.pop("_target_"))
        assert set(config) == set(inspect.signature(function).parameters)

    @pytest.mark.parametrize("name", WITHOUT_FILES)
    def test_states_the_defaults(self, name):
        config = OmegaConf.load(next(path for path in CONFIGS if path.stem == name))
        assert hydra.utils.instantiate(config).checksum == getattr(datasets, name)().checksum
