"""Decoded arrays kept on disk, so that a set is decoded once per machine."""

import uuid
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from chaosjax._cache_folder import cache_folder

Samples = tuple[np.ndarray, np.ndarray]


def cached(key: str, decode: Callable[[], Samples]) -> Samples:
    """Return the (inputs, labels) stored under `key`, or those of `decode`, which are then stored.

    The folder is $CHAOSJAX_CACHE, or else ~/.cache/chaosjax. An unreadable or damaged file is decoded anew; a
    folder that cannot be written is a RuntimeWarning, since all it costs is the next decoding.
    """
    path = cache_folder() / f"{key}.npz"
    samples = _stored(path)
    if samples is None:
        samples = decode()
        _store(path, samples)
    return samples


def _stored(path: Path) -> Samples | None:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return stored["inputs"], stored["labels"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _store(path: Path, samples: Samples) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                np.savez(file, inputs=samples[0], labels=samples[1])
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        warnings.warn(
            f"decoded data could not be cached in {path.parent} ({error.strerror}) and will be decoded "
            "again; set CHAOSJAX_CACHE to a folder that can be written",
            RuntimeWarning,
            stacklevel=2,
        )
