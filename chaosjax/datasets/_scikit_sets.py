"""Datasets that come with scikit-learn: nothing to download."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chaosjax.datasets._classification import classification
from chaosjax.datasets._dataset import Dataset


def iris(*, scaling: str = "raw", targets: str = "labels", test_samples: int = 30, seed: int = 0) -> Dataset:
    """Fisher's Iris: 150 flowers, 4 features in cm, 3 classes; inputs [n, 4].

    scikit-learn stores the flowers sorted by class, so they are shuffled with `seed` and split with the same
    number of each class in the test set. Danovski et al. (2024) took the order of TensorFlow Datasets, rows
    0-119 for training and 120-149 for testing: `iris_danovski`.

    Args:
        scaling: "raw", "unit" (each feature to [0, 1]) or "standardised".
        targets: "labels", "one_hot" or "plus_minus_one".
        test_samples: flowers in the test set.
        seed: of the split.

    Raises:
        ValueError: an unknown choice, or a test set that leaves no flower of some class in it or in the training set.
    """
    from sklearn.datasets import load_iris

    inputs, labels = map(np.asarray, load_iris(return_X_y=True))
    return _stratified(inputs, labels, test_samples, seed, {"name": "iris"}, scaling=scaling, targets=targets)


def iris_danovski(*, targets: str = "labels") -> Dataset:
    """Iris bit for bit as Danovski et al. (2024) took it: `tfds("iris", scaling="raw")`, without its files.

    That is UCI's table in single precision, raw (cm), in the order of TensorFlow Datasets, rows 0-119 for training
    and 120-149 for testing. scikit-learn's copy has two flowers corrected after Fisher's paper; UCI's has not.

    Args:
        targets: "labels", "one_hot" or "plus_minus_one".
    """
    from sklearn.datasets import load_iris

    inputs, labels = map(np.asarray, load_iris(return_X_y=True))
    inputs = np.asarray(inputs, np.float32)
    inputs[[34, 37]] = [4.9, 3.1, 1.5, 0.1]
    order = np.array(_TENSORFLOW_DATASETS_ORDER.split(), int)
    train, test = order[:120], order[120:]
    return classification(
        (inputs[train], labels[train]),
        (inputs[test], labels[test]),
        classes=3,
        scaling="raw",
        targets=targets,
        full_scale=None,
        attrs={"name": "iris", "source": "scikit-learn, as in TensorFlow Datasets 2.1.0"},
    )


_TENSORFLOW_DATASETS_ORDER = """
    39 135 55 143 28 64 90 81 6 122 50 47 147 33 16 40 19 12 104 105 124 131 145 14 146 25 141 91 67 59 77 79
    114 110 18 5 27 9 94 26 48 58 36 65 13 137 35 15 62 134 87 32 49 76 31 73 88 74 128 21 45 78 138 4 29 84 120
    101 71 127 142 123 10 102 54 22 17 69 121 86 95 107 41 82 103 0 106 52 119 98 129 97 8 99 113 66 23 53 56
    133 136 116 3 117 60 109 51 1 61 30 100 132 24 108 44 96 111 20 112 72 42 34 118 7 83 144 43 115 130 139 70
    89 68 38 93 75 63 126 11 149 85 125 92 2 148 46 57 140 80 37
"""
"""The row of scikit-learn's table of each of the 150 flowers, as TensorFlow Datasets 2.1.0 has them."""


def digits(
    *, scaling: str = "unit", targets: str = "labels", flatten: bool = True, test_samples: int = 360, seed: int = 0
) -> Dataset:
    """Handwritten digits, 1,797 images of 8 x 8 pixels in 10 classes; inputs [n, 64] or [n, 8, 8, 1].

    The split into training and test set is stratified and fixed by `seed`.

    Args:
        scaling: "unit" (pixels 0 ... 16 to [0, 1]), "raw" or "standardised" (one mean and standard deviation for
            all pixels).
        targets: "labels", "one_hot" or "plus_minus_one".
        flatten: a vector for each image.
        test_samples: images in the test set.
        seed: of the split.

    Raises:
        ValueError: an unknown choice, or a test set that leaves no image of some class in it or in the training set.
    """
    from sklearn.datasets import load_digits

    inputs, labels = map(np.asarray, load_digits(return_X_y=True))
    inputs = inputs if flatten else inputs.reshape(-1, 8, 8, 1)
    attrs = {"name": "digits", "flatten": flatten}
    return _stratified(inputs, labels, test_samples, seed, attrs, scaling=scaling, targets=targets, full_scale=16.0)


def _stratified(
    inputs: np.ndarray,
    labels: np.ndarray,
    test_samples: int,
    seed: int,
    attrs: Mapping[str, Any],
    *,
    scaling: str,
    targets: str,
    full_scale: float | None = None,
) -> Dataset:
    import sklearn
    from sklearn.model_selection import train_test_split

    classes = int(labels.max()) + 1
    largest = len(labels) - classes
    if not classes <= test_samples <= largest:
        raise ValueError(
            f"test_samples={test_samples}: of {len(labels)} samples {classes} to {largest} can be held out, "
            "so that every class is in both sets"
        )
    train, test = train_test_split(np.arange(len(labels)), test_size=test_samples, random_state=seed, stratify=labels)
    return classification(
        (inputs[train], labels[train]),
        (inputs[test], labels[test]),
        classes=classes,
        scaling=scaling,
        targets=targets,
        full_scale=full_scale,
        attrs={**attrs, "source": "scikit-learn", "version": sklearn.__version__, "seed": seed},
    )
