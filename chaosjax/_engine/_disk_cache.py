"""Compiled programs kept on disk, by JAX's own persistent cache, in a folder that nobody else can write."""

import hashlib
import os
import platform
import threading
import warnings
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import jax
from jax.experimental.compilation_cache import compilation_cache

from chaosjax._cache_folder import cache_folder

_DEFAULT_SECONDS, _LEAST_SECONDS = 1.0, 0.2
"""What compiles faster is not kept: JAX's default, and ours in its place."""


MOST_BYTES = 2 * 2**30
"""What the folder may hold when a process begins; beyond it, what was used longest ago goes."""

LAST_WRITTEN = 8
"""Files that are looked at for the traces of a kill."""


_hits = threading.local()


def from_disk() -> int:
    """How many programs this thread has taken from the disk."""
    return getattr(_hits, "count", 0)


def _count(event: str, **_: str | int) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _hits.count = from_disk() + 1


jax.monitoring.register_event_listener(_count)


@cache
def use_disk_cache() -> None:
    """Turn JAX's persistent cache on, once per process, unless it has a folder already or is switched off.

    ``CHAOSJAX_COMPILATION_CACHE=off`` in the environment switches it off; ``jax_compilation_cache_dir`` set before
    the first sweep is left alone. Executables are machine code: a folder that others can write is not used.
    """
    if jax.config.values["jax_compilation_cache_dir"] or os.environ.get("CHAOSJAX_COMPILATION_CACHE") == "off":
        return
    folder = None
    try:
        folder = cache_folder() / "compiled" / _machine()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            raise PermissionError(0, "others can write it")
        _prune(folder, MOST_BYTES)
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", error)
        warnings.warn(
            f"compiled programs cannot be cached in {folder} ({why}); set CHAOSJAX_CACHE to a folder of your own, or "
            "CHAOSJAX_COMPILATION_CACHE=off",
            RuntimeWarning,
            stacklevel=2,
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    if jax.config.values["jax_persistent_cache_min_compile_time_secs"] == _DEFAULT_SECONDS:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", _LEAST_SECONDS)
    compilation_cache.reset_cache()  # or a process that has compiled before would not look at the folder


def _prune(folder: Path, most: int) -> None:
    """Delete what a kill cut short, and what was used longest ago (to a day, as file systems note it) until at most
    that many bytes remain.

    Once per process. JAX's own bound, ``jax_compilation_cache_max_size``, locks and reads the whole folder whenever a
    program is written: a quarter of a second at 5,000 programs, against a tenth of a millisecond without.
    """
    files = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process may do the same
            files.append((path, path.stat()))
    for path, _ in sorted(files, key=lambda file: file[1].st_mtime_ns)[-LAST_WRITTEN:]:
        _drop_if_cut_short(path)
    total = sum(status.st_size for _, status in files)
    for path, status in sorted(files, key=lambda file: max(file[1].st_atime, file[1].st_mtime)):
        if total <= most:
            break
        path.unlink(missing_ok=True)
        total -= status.st_size


def _drop_if_cut_short(path: Path) -> None:
    """Delete what a process that was killed had begun to write: JAX would warn of it, and compile it, in every run.

    JAX compresses by zlib where no zstandard is installed; of other formats only empty files are seen.
    """
    unpacking = zlib.decompressobj()
    with suppress(FileNotFoundError, zlib.error):  # not zlib's, or damaged otherwise
        unpacking.decompress(path.read_bytes())
        if not unpacking.eof:
            path.unlink(missing_ok=True)


def _is_private(folder: Path) -> bool:
    status = folder.stat()
    return not hasattr(os, "getuid") or (status.st_uid == os.getuid() and not status.st_mode & 0o022)


def _machine() -> str:
    """The kind of processor: machine code for another kind may stop the process."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        told = sorted({line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))})
    except OSError:
        told = [platform.processor()]
    return f"{platform.machine()}-{hashlib.sha256(repr(told).encode()).hexdigest()[:12]}"
