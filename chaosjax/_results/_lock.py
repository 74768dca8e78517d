"""One writer per store: a lock beside it, which the operating system drops when its process ends, however it ends."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL)
"""What a network file system without locks answers."""

_NO_FILE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR)
"""A folder in which nothing can be written: no store is made there, and a finished one is only read."""


def lock_file(store: Path) -> Path:
    """Where the lock of a store lies while it is written."""
    return store.parent / f".{store.name}.lock"


@contextmanager
def only_writer(store: Path | None) -> Iterator[None]:
    """Hold the lock of a store; None: nothing to lock.

    A process that was killed holds none. On a network file system the lock is as good as its `flock`: NFS 4 and Lustre
    with `-o flock` lock between machines. Where there are no locks, the process named in the file is looked up, which
    works on one machine; on Windows nothing is locked.

    Raises:
        BlockingIOError: naming the machine and the process that writes the store.
    """
    held = _acquired(store) if store is not None and fcntl is not None else None
    try:
        yield
    finally:
        if held is not None and store is not None:
            lock_file(store).unlink(missing_ok=True)  # while it is held, so that nobody takes a file about to go
            os.close(held)


def _acquired(store: Path) -> int | None:
    path = lock_file(store)
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            if error.errno in _NO_FILE or isinstance(error, FileExistsError):
                return None
            raise
        try:
            if not _taken(held, path, store):
                os.close(held)
                continue
            os.ftruncate(held, 0)
            os.pwrite(held, f"{socket.gethostname()} {os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(held)
            raise
        return held


def _taken(held: int, path: Path, store: Path) -> bool:
    """Lock an open file; False if it was removed meanwhile by the process that had held it."""
    assert fcntl is not None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        host, _, process = os.pread(held, 400, 0).decode(errors="replace").strip().partition(" ")
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            raise _busy(store, host, process) from None
        if error.errno not in _NO_LOCKS:
            raise
        if process and process != str(os.getpid()) and (host != socket.gethostname() or _alive(process)):
            raise _busy(store, host, process, f"; if that has ended, remove {path}") from None
        return True
    try:
        return os.path.samestat(os.fstat(held), path.stat())
    except FileNotFoundError:
        return False


def _busy(store: Path, host: str, process: str, remedy: str = "") -> BlockingIOError:
    who = f"process {process} on {host}" if process else "another process"
    return BlockingIOError(
        errno.EWOULDBLOCK, f"store: {store} is being written by {who}: wait for it, or take another path{remedy}"
    )


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        pass
    return True
