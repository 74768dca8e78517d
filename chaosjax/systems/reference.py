"""What is known about a system, to hold estimates against."""

from collections.abc import Callable
from typing import NamedTuple

from chaosjax.system import System


class Reference(NamedTuple):
    """Reference values of one system at its default control parameters.

    Attributes:
        system: ``() -> System``.
        exponents: Lyapunov exponents in nats per step, largest first, as many as are known.
        exact: whether they follow from a formula; else they are published numerics, good to the last digit given.
        source: where they come from.
        sum: the exact sum of all exponents: the mean logarithm of the volume contraction, in nats per step.
        kaplan_yorke: the Kaplan–Yorke dimension.
    """

    system: Callable[[], System]
    exponents: tuple[float, ...]
    exact: bool
    source: str
    sum: float | None = None
    kaplan_yorke: float | None = None
