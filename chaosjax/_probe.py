"""An instrument: what it remembers, how it follows a step, what it reports."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import PyTree

from chaosjax._transition import Transition


class Probe(NamedTuple):
    """A fibre over the trajectory: a memory m that co-evolves with x, and the records read off it.

    Attributes:
        init: ``(key, x, theta) -> m``, with x the first phase point.
        update: ``(m, transition) -> m``, at every step.
        emit: ``(m, transition) -> (m, record)``, at every record time t, before the step from t.
            A record is an array or a dict of arrays; the dict entry "" takes the probe's own name in the
            dataset, another entry "e" is appended as ``name_e``.
        dims: names of the record's own axes, for a dict record by entry.
        attrs: long name, units and settings; they reach the dataset and identify the run on resume.
        theta: the control parameters the probe reads, with their defaults.
        check: ``m -> None`` on the host, once, with the first memories of all cells ``[cells, ...]``; raises
            when the measurement could not be trusted.
    """

    init: Callable[..., PyTree]
    update: Callable[[PyTree, Transition], PyTree]
    emit: Callable[[PyTree, Transition], tuple[PyTree, Any]]
    dims: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ()
    attrs: Mapping[str, Any] = {}
    theta: Mapping[str, float] = {}
    check: Callable[[PyTree], None] | None = None


def reading(
    read: Callable[[Transition], Any],
    dims: tuple[str, ...] | Mapping[str, tuple[str, ...]] = (),
    **attrs: Any,
) -> Probe:
    """A probe without memory: ``record = read(transition)`` at every record time.

    Example:
        ``reading(lambda transition: transition.grad["dense_0"]["bias"], dims=("unit",), units="1")``
    """
    return Probe(
        init=lambda key, x, theta: (),
        update=lambda m, transition: m,
        emit=lambda m, transition: (m, read(transition)),
        dims=dims,
        attrs=attrs,
    )


def every(steps: int, probe: Probe) -> Probe:
    """The same probe, recorded only when t is a multiple of `steps`; between, its records are missing (NaN).

    The clock is the same for all cells, so the branch is a real one: an expensive reading costs nothing at the
    times it is not taken. Values that cannot hold a NaN (integers, booleans) are 0 between.

    Raises:
        ValueError: if steps is not a positive integer.
    """
    if steps != int(steps) or steps < 1:
        raise ValueError(f"every: steps={steps!r} must be a positive integer number of steps")

    def emit(m, transition):
        def read(m):
            return probe.emit(m, transition.fork())

        def skip(m):
            return m, jax.tree.map(_missing, jax.eval_shape(read, m)[1])

        return lax.cond(transition.t % steps == 0, read, skip, m)

    return probe._replace(emit=emit, attrs={**probe.attrs, "every": int(steps)})


def _missing(shape: jax.ShapeDtypeStruct):
    fill = jnp.nan if jnp.issubdtype(shape.dtype, jnp.floating) else 0
    return jnp.full(shape.shape, fill, shape.dtype)
