"""The record every dataset function returns."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int32

Targets = Int32[np.ndarray, " samples"] | Float64[np.ndarray, "samples outputs"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Training and test samples as read-only arrays, with what is needed to name them in a result.

    Targets are either class labels in 0 ... `outputs` - 1 or `outputs` components per sample (one-hot, ±1 or
    regression targets). Inputs are stored as float64, labels as int32 and other targets as float64, whatever
    number type they are given in.

    Args:
        outputs: outputs of a network for this set; 0 counts the classes up to the largest label, or the components.
        attrs: name, version, scaling and the like as JSON-able values. ``train_samples``, ``test_samples``, ``outputs``
            and, for labels, ``classes`` are added from the arrays.

    Raises:
        ValueError: a set is empty, lengths or shapes disagree, a value is not finite or a label is out of range.
    """

    train_inputs: Float64[np.ndarray, "train ..."]
    train_targets: Targets
    test_inputs: Float64[np.ndarray, "test ..."]
    test_targets: Targets
    outputs: int = 0
    attrs: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ("train", "test"):
            inputs = _read_only(getattr(self, f"{part}_inputs"), np.float64)
            targets = np.asarray(getattr(self, f"{part}_targets"))
            is_labels = np.issubdtype(targets.dtype, np.integer) and targets.ndim == 1
            object.__setattr__(self, f"{part}_inputs", inputs)
            object.__setattr__(self, f"{part}_targets", _read_only(targets, np.int32 if is_labels else np.float64))
        if self.outputs == 0:
            object.__setattr__(self, "outputs", _outputs(self.train_targets, self.test_targets))
        for part in ("train", "test"):
            _check_samples(part, getattr(self, f"{part}_inputs"), getattr(self, f"{part}_targets"), self.outputs)
        for array in ("inputs", "targets"):
            train, test = (getattr(self, f"{part}_{array}") for part in ("train", "test"))
            if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
                raise ValueError(
                    f"train_{array} hold {train.dtype} of shape {train.shape[1:]} per sample and "
                    f"test_{array} {test.dtype} of shape {test.shape[1:]}; they must be the same"
                )
        sizes = {"train_samples": len(self.train_inputs), "test_samples": len(self.test_inputs)}
        sizes |= {"outputs": self.outputs} | ({"classes": self.outputs} if self.train_targets.ndim == 1 else {})
        object.__setattr__(self, "attrs", {"name": "unnamed", **self.attrs, **sizes})

    def __repr__(self) -> str:
        sizes = f"{len(self.train_inputs):,} training and {len(self.test_inputs):,} test samples"
        kind = "classes" if "classes" in self.attrs else "outputs"
        return f"Dataset({self.attrs['name']}: {sizes} of shape {self.train_inputs.shape[1:]}, {self.outputs} {kind})"

    @cached_property
    def checksum(self) -> str:
        """SHA-256 over dtype, shape and bytes of the four arrays, as hex digits."""
        digest = hashlib.sha256()
        for array in (self.train_inputs, self.train_targets, self.test_inputs, self.test_targets):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _read_only(array: Any, dtype: type) -> np.ndarray:
    # A view, so that an array the caller still owns stays writable in the caller's hands.
    view = np.asarray(array, dtype=dtype).view()
    view.flags.writeable = False
    return view


def _outputs(train_targets: np.ndarray, test_targets: np.ndarray) -> int:
    if train_targets.dtype == np.int32:
        return int(max(train_targets.max(initial=0), test_targets.max(initial=0))) + 1
    return max(train_targets.shape[1:], default=1)


def _check_samples(part: str, inputs: np.ndarray, targets: np.ndarray, outputs: int) -> None:
    if inputs.ndim < 2 or len(inputs) == 0:
        raise ValueError(
            f"{part}_inputs have shape {inputs.shape}; needed is [samples, *shape] with at least one sample"
        )
    if len(inputs) != len(targets):
        raise ValueError(f"{part}_inputs hold {len(inputs)} samples and {part}_targets {len(targets)}")
    if not np.isfinite(inputs).all():
        raise ValueError(f"{part}_inputs hold a value that is not finite; remove or impute such samples")
    if targets.dtype == np.int32:
        if targets.min() < 0 or targets.max() >= outputs:
            raise ValueError(
                f"{part}_targets hold labels from {targets.min()} to {targets.max()}; "
                f"with outputs={outputs} they must lie in 0 ... {outputs - 1}"
            )
    elif targets.shape[1:] != (outputs,):
        raise ValueError(
            f"{part}_targets have shape {targets.shape}; with outputs={outputs} they must be integer labels "
            f"[{len(inputs)}] or numbers [{len(inputs)}, {outputs}]"
        )
    elif not np.isfinite(targets).all():
        raise ValueError(f"{part}_targets hold a value that is not finite; remove such samples")
