"""Classification sets of TensorFlow Datasets, read without TensorFlow."""

import difflib
import hashlib
import logging
import os
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from chaosjax.datasets._cache import Samples, cached
from chaosjax.datasets._classification import classification
from chaosjax.datasets._dataset import Dataset

# tensorflow_datasets is imported where it is used: half a second that the other datasets need not wait for.


def tfds(
    name: str,
    *,
    train_samples: int | None = None,
    test_samples: int | None = None,
    balanced: bool = False,
    scaling: str = "unit",
    flatten: bool = True,
    targets: str = "labels",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Read a classification set of TensorFlow Datasets by name, such as "mnist" or "emnist/letters".

    The test set is the split "test", or else "validation", or else the last fifth of "train" (Iris: rows 0-119 and
    120-149). `python -m chaosjax.datasets.prepare NAME` prepares the files (array_record). Decoded arrays are cached in
    $CHAOSJAX_CACHE, or else ~/.cache/chaosjax.

    Args:
        name: "set", "set/config" or "set:version".
        train_samples: the first so many of the stored order; None takes all.
        test_samples: likewise.
        balanced: take the first ones of each class, as many of each.
        scaling: "unit" (images to [0, 1] by the largest value a pixel can take, tables by each feature's range),
            "raw" (0 ... 255 for most images) or "standardised" (images by one mean and standard deviation, tables by
            each feature's); statistics are those of the training samples used.
        flatten: a vector for each image [height, width, channels].
        targets: "labels", "one_hot" or "plus_minus_one".
        data_dir: folder of the prepared files; None takes $TFDS_DATA_DIR, or else ~/tensorflow_datasets.

    Raises:
        FileNotFoundError: the set is not prepared.
        ValueError: it is unknown, not in array_record format, no classification of fixed-size images or feature
            vectors, or smaller than asked for.
    """
    if balanced and train_samples is None and test_samples is None:
        raise ValueError("balanced=True needs train_samples or test_samples: how many to choose")
    builder = _prepared(name, data_folder(data_dir))
    input_feature, label_feature, full_scale = _features(name, builder.info)
    classes = builder.info.features[label_feature].num_classes
    train_split, test_split = _splits(name, list(builder.info.splits))

    def samples(split: str, argument: str, count: int | None) -> Samples:
        inputs, labels = split_samples(builder, split, input_feature, label_feature)
        if labels.min() < 0:
            raise ValueError(f"dataset {name!r}: the split {split!r} has samples without a label")
        chosen = _chosen(labels, classes, argument, count, balanced)
        inputs = inputs[chosen]
        return inputs.reshape(len(inputs), -1) if flatten else inputs, labels[chosen]

    return classification(
        samples(train_split, "train_samples", train_samples),
        samples(test_split, "test_samples", test_samples),
        classes=classes,
        scaling=scaling,
        targets=targets,
        full_scale=full_scale,
        attrs={
            "name": builder.info.full_name.removesuffix(f"/{builder.version}"),
            "source": "TensorFlow Datasets",
            "version": str(builder.version),
            "train_split": train_split,
            "test_split": test_split,
            "balanced": balanced,
            "flatten": flatten,
        },
    )


def data_folder(data_dir: str | os.PathLike[str] | None) -> str:
    """Folder of the prepared sets: `data_dir`, or else $TFDS_DATA_DIR, or else ~/tensorflow_datasets."""
    return os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def check_known(name: str) -> None:
    """Check that TensorFlow Datasets has a set of this name.

    Raises:
        ValueError: it has not; with the nearest names.
    """
    import tensorflow_datasets
    import tensorflow_datasets.structured  # its sets are missing from the list otherwise

    known = tensorflow_datasets.list_builders(with_community_datasets=False)
    plain_name = re.split("[/:]", name)[0]
    if plain_name not in known:
        near = difflib.get_close_matches(plain_name, known)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"dataset {name!r} is not a known image or tabular set of TensorFlow Datasets{hint}")


def split_samples(builder: Any, split: str, input_feature: str, label_feature: str) -> Samples:
    """Inputs (as stored: uint8, float32 ...) and int32 labels of one split, decoded or from the cache."""
    information = builder.info.splits[split]
    # The content is part of the key: sets of one name and version can differ between folders.
    digest = hashlib.sha256(f"{split} {input_feature} {label_feature}".encode())
    for path in information.filepaths:
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    stem = f"{builder.info.full_name}-{split}".replace("/", "-").split("[")[0]

    def decode() -> Samples:
        feature = builder.info.features[input_feature]
        inputs = np.empty((information.num_examples, *feature.shape), feature.np_dtype)
        labels = np.empty(information.num_examples, np.int32)
        source = builder.as_data_source(split=split)
        for start in range(0, len(labels), 1000):  # one request for many records is three times faster
            rows = range(start, min(start + 1000, len(labels)))
            for row, sample in zip(rows, source.__getitems__(list(rows)), strict=True):
                inputs[row], labels[row] = sample[input_feature], sample[label_feature]
        return inputs, labels

    with _no_opencv_advice():
        return cached(f"{stem}-{digest.hexdigest()[:16]}", decode)


def _prepared(name: str, folder: str) -> Any:
    from tensorflow_datasets.core.file_adapters import FileFormat
    from tensorflow_datasets.core.read_only_builder import builder_from_files
    from tensorflow_datasets.core.registered import DatasetNotFoundError

    if not re.fullmatch(r"\w+(/[\w.-]+)?(:[\d.*]+)?", name):
        raise ValueError(f"name={name!r} must be of the form 'set', 'set/config' or 'set:version'")
    command = f"python -m chaosjax.datasets.prepare {name} --data_dir"
    try:
        # From the files alone: the set's own code may need TensorFlow, or be of another version.
        builder = builder_from_files(name, data_dir=folder)
    except DatasetNotFoundError:
        check_known(name)
        raise FileNotFoundError(
            f"dataset {name!r} is not prepared in {folder}. Prepare it (once, with a network) by\n"
            f"pip install 'chaosjax[prepare]' && {command} {shlex.quote(folder)}"
        ) from None
    if FileFormat.ARRAY_RECORD not in builder.info.available_file_formats():
        raise ValueError(
            f"dataset {name!r} is prepared in {folder}, but not as array_record, the format that is read "
            f"without TensorFlow. Prepare it again in another folder:\n{command} OTHER_FOLDER"
        )
    return builder


def _features(name: str, information: Any) -> tuple[str, str, float | None]:
    """Names of the input and the label, and the largest value of an image's pixel type (None for tables)."""
    from tensorflow_datasets import features

    keys = information.supervised_keys
    if not (
        keys
        and all(isinstance(key, str) for key in keys)
        and isinstance(information.features[keys[-1]], features.ClassLabel)
    ):
        raise ValueError(f"dataset {name!r} is not a classification set: it has no (input, class label) pair")
    inputs = information.features[keys[0]]
    shape, dtype = inputs.shape, inputs.np_dtype
    is_image = isinstance(inputs, features.Image)
    if not (
        (is_image or isinstance(inputs, features.Tensor))
        and np.issubdtype(dtype, np.integer if is_image else np.number)
        and shape
        and None not in shape
    ):
        raise ValueError(
            f"dataset {name!r}: its input {keys[0]!r} is {inputs}; only images and feature vectors of one "
            "fixed size can be used"
        )
    return keys[0], keys[-1], float(np.iinfo(dtype).max) if is_image else None


def _splits(name: str, available: list[str]) -> tuple[str, str]:
    if "train" not in available:
        raise ValueError(f"dataset {name!r} has no split 'train', only {', '.join(available)}")
    for split in ("test", "validation"):
        if split in available:
            return "train", split
    return "train[:80%]", "train[80%:]"


def _chosen(labels: np.ndarray, classes: int, argument: str, count: int | None, balanced: bool) -> slice | np.ndarray:
    if count is None:
        return slice(None)
    if not 1 <= count <= len(labels):
        raise ValueError(f"{argument}={count}: the split has {len(labels)} samples; ask for 1 ... that many")
    if not balanced:
        return slice(count)
    each, rest = divmod(count, classes)
    if rest:
        raise ValueError(f"{argument}={count}: balanced=True needs a multiple of the {classes} classes")
    present = np.bincount(labels, minlength=classes)
    if present.min() < each:
        raise ValueError(
            f"{argument}={count}, balanced=True: class {present.argmin()} has only {present.min()} samples, "
            f"so at most {present.min() * classes} can be taken"
        )
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:each] for label in range(classes)]))


@contextmanager
def _no_opencv_advice() -> Iterator[None]:
    def other(record: logging.LogRecord) -> bool:
        return "OpenCV is not installed" not in record.getMessage()

    logger = logging.getLogger("absl")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)
