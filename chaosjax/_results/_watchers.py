"""What looks at the records while a sweep runs."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from chaosjax._results._store import Store


class Watchers(NamedTuple):
    """Functions that are shown the records after every chunk: all so far (`until`), or the new ones (`callback`)."""

    until: Callable[[xr.Dataset], bool] | None
    callback: Callable[[xr.Dataset], None] | None

    def show(self, out: Store, first: int, index: int) -> None:
        """Show the callback records `first`, …, `index - 1`."""
        if self.callback is not None:
            self.callback(out.dataset(slice(first, index)))

    def done(self, out: Store, index: int) -> bool:
        """Whether the run may end with its first `index` records."""
        if self.until is None:
            return False
        answer: Any = self.until(out.dataset(slice(index)))
        if answer is None or np.ndim(answer) != 0:
            raise TypeError(f"until returned a {type(answer).__name__}; return True or False, e.g. by .all()")
        return bool(answer)
