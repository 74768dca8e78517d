"""Datasets that come with scikit-learn: nothing to download."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chaosjax.datasets.classification import classification
from chaosjax.datasets.dataset import Dataset


def iris(*, scaling: str = "raw", targets: str = "labels", test_samples: int = 30, seed: int = 0) -> Dataset:
    """Fisher's Iris: 150 flowers, 4 features in cm, 3 classes; inputs [n, 4].

    scikit-learn stores the flowers sorted by class, so they are shuffled with `seed` and split with the same
    number of each class in the test set. Danovski et al. (2024) took the order of TensorFlow Datasets, rows
    0-119 for training and 120-149 for testing: `tfds("iris", scaling="raw")`.

    scaling: "raw", "unit" (per feature to [0, 1]) or "standardised". targets: "labels", "one_hot" or
    "plus_minus_one".
    """
    from sklearn.datasets import load_iris

    inputs, labels = map(np.asarray, load_iris(return_X_y=True))
    return _stratified(
        inputs,
        labels,
        scaling=scaling,
        targets=targets,
        full_scale=None,
        test_samples=test_samples,
        seed=seed,
        attrs={"name": "iris"},
    )


def digits(
    *,
    scaling: str = "unit",
    targets: str = "labels",
    flatten: bool = True,
    test_samples: int = 360,
    seed: int = 0,
) -> Dataset:
    """Handwritten digits, 1,797 images of 8 x 8 pixels in 10 classes; inputs [n, 64] or [n, 8, 8, 1].

    The split into training and test set is stratified and fixed by `seed`.

    scaling: "unit" (pixels 0 ... 16 to [0, 1]), "raw" or "standardised" (one mean and standard deviation for
    all pixels). targets: "labels", "one_hot" or "plus_minus_one".
    """
    from sklearn.datasets import load_digits

    inputs, labels = map(np.asarray, load_digits(return_X_y=True))
    return _stratified(
        inputs if flatten else inputs.reshape(-1, 8, 8, 1),
        labels,
        scaling=scaling,
        targets=targets,
        full_scale=16.0,
        test_samples=test_samples,
        seed=seed,
        attrs={"name": "digits", "flatten": flatten},
    )


def _stratified(
    inputs: np.ndarray,
    labels: np.ndarray,
    *,
    scaling: str,
    targets: str,
    full_scale: float | None,
    test_samples: int,
    seed: int,
    attrs: Mapping[str, Any],
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
