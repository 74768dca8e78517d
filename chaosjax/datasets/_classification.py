"""What data sets share: scaled inputs and encoded labels."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chaosjax.datasets._dataset import Dataset

SCALINGS = ("unit", "raw", "standardised")
TARGETS = ("labels", "one_hot", "plus_minus_one")


def classification(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    *,
    classes: int,
    scaling: str,
    targets: str,
    full_scale: float | None,
    attrs: Mapping[str, Any],
) -> Dataset:
    """Make a Dataset of (inputs, labels) pairs.

    Args:
        classes: number of classes.
        scaling: see `scaled`.
        targets: "labels", "one_hot" (0 and 1) or "plus_minus_one" (-1 and 1).
        full_scale: see `scaled`.
        attrs: further JSON-able values that name the set.
    """
    check_choice("targets", targets, TARGETS)
    train_inputs, test_inputs = scaled(train[0], test[0], scaling, full_scale)
    train_targets, test_targets = (_encoded(labels, classes, targets) for _, labels in (train, test))
    attrs = {**attrs, "classes": classes, "scaling": scaling, "targets": targets}
    return Dataset(train_inputs, train_targets, test_inputs, test_targets, classes, attrs)


def check_choice(argument: str, value: object, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{argument}={value!r} is not one of {', '.join(map(str, choices))}")


def scaled(
    train_inputs: np.ndarray, test_inputs: np.ndarray, scaling: str, full_scale: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The inputs as ``(x − a) / b`` in float64, with a and b from the training set.

    Args:
        scaling: "raw" (a = 0, b = 1), "unit" or "standardised".
        full_scale: the largest value a pixel of an image can take. Images have one a and b for all pixels: unit divides
            by full_scale, standardised takes mean and standard deviation over all pixels. Tables (None) have a and b
            per feature: minimum and range, or mean and standard deviation.
    """
    check_choice("scaling", scaling, SCALINGS)
    train_inputs, test_inputs = train_inputs.astype(np.float64), test_inputs.astype(np.float64)
    offset, unit = _offset_and_unit(train_inputs, scaling, full_scale)
    for inputs in (train_inputs, test_inputs):  # in place: an image set in float64 is large
        inputs -= offset
        inputs /= unit
    return train_inputs, test_inputs


def _offset_and_unit(
    inputs: np.ndarray, scaling: str, full_scale: float | None
) -> tuple[np.ndarray | float, np.ndarray | float]:
    if scaling == "raw":
        return 0.0, 1.0
    if scaling == "unit" and full_scale is not None:
        return 0.0, full_scale
    axis = 0 if full_scale is None else None
    if scaling == "unit":
        offset, unit = inputs.min(axis), np.ptp(inputs, axis)
    else:
        offset, unit = inputs.mean(axis), inputs.std(axis)
    return offset, np.where(unit == 0, 1.0, unit)  # a constant feature becomes 0, not NaN


def _encoded(labels: np.ndarray, classes: int, targets: str) -> np.ndarray:
    if targets == "labels":
        return labels
    one_hot = np.eye(classes)[labels]
    return one_hot if targets == "one_hot" else 2.0 * one_hot - 1.0
