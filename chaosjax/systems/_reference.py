"""What is known about a system, to hold estimates against."""

from collections.abc import Callable
from typing import NamedTuple

from chaosjax._system import System


class Reference(NamedTuple):
    """Reference values of one system at its default control parameters.

    Attributes:
        system: ``() -> System``.
        exponents: Lyapunov exponents, largest first, as many as are known; for a map in nats per step, for a flow in
            nats per unit time: those of its map divided by `time_step`.
        exact: whether they follow from a formula; else they are published numerics, good to the last digit given.
        source: where they come from.
        sum: the exact sum of all exponents, in their units: the mean logarithm of the volume contraction.
        kaplan_yorke: the Kaplan–Yorke dimension.
        positive: how many exponents are positive.
        time_step: time that a step takes; 1 for a map.
        transient: steps after which orbits are on the attractor and tangent frames aligned.
    """

    system: Callable[[], System]
    exponents: tuple[float, ...]
    exact: bool
    source: str
    sum: float | None = None
    kaplan_yorke: float | None = None
    positive: int | None = None
    time_step: float = 1.0
    transient: int = 1000
