"""The folder of this user's that holds what is costly to make again: decoded data sets and compiled programs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$CHAOSJAX_CACHE, or else ~/.cache/chaosjax."""
    return Path(os.environ.get("CHAOSJAX_CACHE") or "~/.cache/chaosjax").expanduser()
