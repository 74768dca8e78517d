"""Whether a store can be written, and what to do when not."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zarr.storage import MemoryStore


@contextmanager
def writing(location: Path | MemoryStore) -> Iterator[None]:
    """While something is written there.

    Raises:
        OSError: naming the store and what to do, when the disk is full or the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            remedy = "the disk is full: free space, then go on with resume=True; what was recorded before is kept"
        else:
            remedy = f"cannot be written ({error.strerror or error}): choose a folder that can"
        raise OSError(error.errno, f"store: {location}: {remedy}") from error


def check_free(location: Path) -> None:
    """Refuse a path where no new store can be made, before anything is computed for it.

    Raises:
        FileExistsError: if the path exists.
        OSError: if its folder cannot be made or written.
    """
    if location.exists() or location.is_symlink():
        raise FileExistsError(
            f"store: {location} exists; continue it with resume=True, or choose another path (nothing was touched)"
        )
    with writing(location):
        location.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=location.parent):
            pass
