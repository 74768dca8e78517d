"""What all classification sets share: scaled inputs and encoded targets."""

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

    scaling is "raw", "unit" or "standardised": (x - a) / b with a = 0, b = 1 for raw. Images, known by their
    `full_scale` (the largest value a pixel can take), have one a and b for all pixels: unit divides by
    full_scale, standardised takes mean and standard deviation over all pixels. Tables (full_scale=None) have
    their own a and b per feature: minimum and range, or mean and standard deviation. All statistics are the
    training set's.

    targets is "labels", "one_hot" (0 and 1) or "plus_minus_one" (-1 and 1).
    """
    check_choice("scaling", scaling, SCALINGS)
    check_choice("targets", targets, TARGETS)
    (train_inputs, train_labels), (test_inputs, test_labels) = train, test
    train_inputs, test_inputs = train_inputs.astype(np.float64), test_inputs.astype(np.float64)
    offset, unit = _offset_and_unit(train_inputs, scaling, full_scale)
    for inputs in (train_inputs, test_inputs):  # in place: an image set in float64 is large
        inputs -= offset
        inputs /= unit
    return Dataset(
        train_inputs,
        _encoded(train_labels, classes, targets),
        test_inputs,
        _encoded(test_labels, classes, targets),
        outputs=classes,
        attrs={
            **attrs,
            "classes": classes,
            "scaling": scaling,
            "targets": targets,
            "train_samples": len(train_labels),
            "test_samples": len(test_labels),
        },
    )


def check_choice(argument: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{argument}={value!r} is not one of {', '.join(choices)}")


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
