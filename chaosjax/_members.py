"""Phase points that travel beside the trajectory."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, PyTree


class Members(NamedTuple):
    """Phase points that a probe wants stepped beside x.

    Attributes:
        points: a leading axis of n members on every leaf of x.
        streams: the stream of each member's noise: 0 is the noise of x, others are independent of it and of each
            other; None: all 0.
        start: before this time they are left where they are.
    """

    points: PyTree
    streams: Int[np.ndarray, " n"] | None = None
    start: int = 0
