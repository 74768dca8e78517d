"""Data of your own, from arrays."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chaosjax.datasets._classification import check_choice, scaled
from chaosjax.datasets._dataset import Dataset

KINDS = (None, "classes", "numbers")

MOST_CLASSES = 100
"""Distinct integers that count as labels, at most."""

NO_VALUE = ("nan", "NaT", "<NA>")
"""How objects that stand for a missing value are written."""


def arrays(
    inputs: Any,
    targets: Any,
    test: float = 0.2,
    *,
    name: str = "arrays",
    kind: str | None = None,
    scaling: str = "raw",
    seed: int = 0,
    attrs: Mapping[str, Any] | None = None,
) -> Dataset:
    """Make a Dataset of inputs [n, ...] and targets [n] or [n, outputs]: NumPy arrays, lists or pandas objects.

    One-dimensional targets of text, booleans, or integers with at most 100 distinct values (and at most half as many
    as samples) are class labels; they are numbered in their sorted order, and ``attrs["class_names"]`` holds them.
    All other targets are numbers, to be learned with ``supervised(..., loss="squared_error")``; [n] becomes [n, 1].

    The test set is drawn by `seed`, of labels with the same share of each class, up to one sample.

    Args:
        test: the part of the samples held out, between 0 and 1, or their number.
        kind: "classes" or "numbers", in place of the rule above.
        scaling: of the inputs, by the training set's statistics: "raw", "unit" (each feature to [0, 1]) or
            "standardised" (each feature to mean 0 and standard deviation 1).
        attrs: further JSON-able values to be kept with results.

    Raises:
        ValueError: a missing value (with its rows, counted from 0), text among the inputs, lengths that disagree, or
            a test set that leaves nothing to train on.
    """
    check_choice("kind", kind, KINDS)
    inputs, targets = _numbers("inputs", inputs), np.asarray(targets)
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if len(inputs) != len(targets):
        raise ValueError(f"inputs hold {len(inputs)} samples and targets {len(targets)}; give one target per sample")
    notes = {"name": name, "source": "arrays", "scaling": scaling, "seed": seed, **(attrs or {})}
    if kind == "classes" or (kind is None and _are_labels(targets)):
        names, targets = np.unique(_complete("targets", targets), return_inverse=True)
        notes["class_names"] = names.tolist()
    else:
        targets = _numbers("targets", targets)
        targets = targets[:, None] if targets.ndim == 1 else targets
    held_out = _held_out(targets if targets.ndim == 1 else np.zeros(len(targets), int), test, seed)
    train_inputs, test_inputs = scaled(inputs[~held_out], inputs[held_out], scaling)
    outputs = len(notes["class_names"]) if "class_names" in notes else targets.shape[1]
    return Dataset(train_inputs, targets[~held_out], test_inputs, targets[held_out], outputs, notes)


def _are_labels(targets: np.ndarray) -> bool:
    if targets.ndim != 1 or np.issubdtype(targets.dtype, np.floating):
        return False
    if np.issubdtype(targets.dtype, np.integer):
        return len(np.unique(targets)) <= min(MOST_CLASSES, len(targets) // 2)
    return any(isinstance(value, str | bool | np.bool_) for value in targets.tolist())


def _numbers(argument: str, values: Any) -> np.ndarray:
    """As float64, without missing values."""
    values = _complete(argument, np.asarray(values))
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        hint = "encode it as numbers first" if argument == "inputs" else "kind='classes' takes them as labels"
        raise ValueError(f"{argument} hold something that is no number ({error}); {hint}") from None


def _complete(argument: str, values: np.ndarray) -> np.ndarray:
    if values.ndim == 0 or len(values) == 0:
        raise ValueError(f"{argument} have shape {values.shape}; at least one sample is needed")
    if np.issubdtype(values.dtype, np.number):
        missing = ~np.isfinite(values)
    else:
        missing = np.vectorize(lambda value: value is None or str(value) in NO_VALUE, otypes=[bool])(values)
    rows = np.flatnonzero(missing.reshape(len(values), -1).any(axis=1))
    if rows.size:
        shown = ", ".join(map(str, rows[:5])) + (f" and {rows.size - 5} more" if rows.size > 5 else "")
        raise ValueError(f"{argument} miss a value, or hold one that is not finite, in rows {shown}; remove or impute")
    return values


def _held_out(labels: np.ndarray, test: float, seed: int) -> np.ndarray:
    """Which samples are the test set: those that come first in their class, by an order drawn at random."""
    n = len(labels)
    count = round(test * n) if 0 < test < 1 else int(test)
    if not 1 <= count < n or (test >= 1 and count != test):
        raise ValueError(f"test={test!r} of {n} samples must be a part between 0 and 1 or a number from 1 to {n - 1}")
    order = np.random.default_rng(seed).permutation(n)
    place = np.empty(n)
    for label in np.unique(labels):
        members = order[labels[order] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    held_out = np.zeros(n, bool)
    held_out[order[np.argsort(place[order], kind="stable")[:count]]] = True
    return held_out
