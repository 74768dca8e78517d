"""An instrument: what it remembers, how it follows a step, what it reports and what it costs."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, PRNGKeyArray, PyTree

from chaosjax._checks import check_count
from chaosjax._members import Members
from chaosjax._system import Theta, alike
from chaosjax._transition import Transition

_LATEST = 2**30
"""The last time that a probe may wait for: the clock counts in 32 bits."""

Dims = tuple[str, ...] | Mapping[str, tuple[str, ...]]
"""Names of a record's own axes; for a record of several entries, by entry."""


class Cost(NamedTuple):
    """What a probe adds to a run, in evaluations.

    Attributes:
        steps: images of phase points, per step.
        tangents: products of the step's Jacobian with a vector, per step.
        products: Hessian-vector products, per record, at most.
        products_per_step: Hessian-vector products, per step, at most.
        losses: evaluations of the loss over all samples, per record.
        losses_per_weight: evaluations of the loss, per record and parameter.
        every: records that count lie at multiples of so many steps; 1: every record does.
        start: before this time it costs nothing.
    """

    steps: int = 0
    tangents: int = 0
    products: int = 0
    products_per_step: int = 0
    losses: int = 0
    losses_per_weight: int = 0
    every: int = 1
    start: int = 0

    def of_run(self, steps: int, stride: int, weights: int = 0) -> dict[str, int]:
        """Evaluations in a run of so many steps with records every `stride` steps, for so many parameters."""
        between = int(np.lcm(stride, self.every))
        records = steps // between + 1 - -(-self.start // between)
        begun = max(0, steps - self.start)
        return {
            "steps": self.steps * begun,
            "tangents": self.tangents * begun,
            "products": self.products * max(0, records) + self.products_per_step * begun,
            "losses": (self.losses + self.losses_per_weight * weights) * max(0, records),
        }


@runtime_checkable
class Init(Protocol):
    """Makes a probe's first memory from its key, the first phase point and the control parameters."""

    def __call__(self, key: PRNGKeyArray, x: PyTree, theta: Theta, /) -> PyTree: ...


@runtime_checkable
class Update(Protocol):
    """Follows one step."""

    def __call__(self, m: PyTree, transition: Transition, /) -> PyTree: ...


@runtime_checkable
class UpdateWithImages(Protocol):
    """Follows one step of a probe with members, whose images have a leading axis ``[members]`` on every leaf."""

    def __call__(self, m: PyTree, transition: Transition, images: PyTree, /) -> PyTree: ...


@runtime_checkable
class Emit(Protocol):
    """Reads a record off the memory, before the step from t; it leaves the probe's members where they are."""

    def __call__(self, m: PyTree, transition: Transition, /) -> tuple[PyTree, Any]: ...


class Probe(NamedTuple):
    """A fibre over the trajectory: a memory m that co-evolves with x, and the records read off it.

    Attributes:
        init: ``(key, x, theta) -> m``, with x the first phase point.
        update: ``(m, transition) -> m``, at every step; with `members`, ``(m, transition, images) -> m``.
        emit: ``(m, transition) -> (m, record)``, at every record time t, before the step from t.
            A record is an array or a dict of arrays; the dict entry "" takes the probe's own name in the
            dataset, another entry "e" is appended as ``name_e``.
        dims: names of the record's own axes, for a dict record by entry.
        attrs: long name, units and settings; they reach the dataset and identify the run on resume. ``entries`` maps
            a record's entries to attributes of their own.
        theta: the control parameters the probe reads, with their defaults.
        check: ``m -> None`` on the host, once, with the first memories of all cells ``[cells, ...]``; raises
            when the measurement could not be trusted.
        members: ``m -> Members``, phase points that are to be stepped beside x; `update` receives their images.
            x and the members of all probes are stepped in one batched call.
        cost: what it adds to a run.
    """

    init: Init
    update: Update | UpdateWithImages
    emit: Emit
    dims: Dims = ()
    attrs: Mapping[str, Any] = {}
    theta: Mapping[str, float] = {}
    check: Callable[[PyTree], None] | None = None
    members: Callable[[PyTree], Members] | None = None
    cost: Cost = Cost()


def reading(read: Callable[[Transition], Any], dims: Dims = (), cost: Cost = Cost(), **attrs: Any) -> Probe:
    """A probe without memory: ``record = read(transition)`` at every record time.

    Args:
        read: returns an array or a dict of arrays.
        dims: names of the record's own axes.
        cost: what reading it takes.
        attrs: ``long_name``, ``units`` and settings.

    Example:
        ``reading(lambda transition: transition.grad["dense_0"]["bias"], dims=("unit",), units="1")``
    """
    return Probe(
        init=lambda key, x, theta: (),
        update=lambda m, transition: m,
        emit=lambda m, transition: (m, read(transition)),
        dims=dims,
        attrs=attrs,
        cost=cost,
    )


def every(steps: int, probe: Probe) -> Probe:
    """The same probe, recorded only when t is a multiple of `steps`; between, its records are missing (NaN).

    The clock is the same for all cells, so the branch is a real one: an expensive reading costs nothing at the
    times it is not taken. Values that cannot hold a NaN (integers, booleans) are 0 between.

    Raises:
        ValueError: if steps is not a positive integer.
    """
    steps = check_count("steps", steps, most=_LATEST, what="every records at its multiples")
    _refuse_others("every", probe)

    def emit(m: PyTree, transition: Transition) -> tuple[PyTree, Any]:
        return _where(transition.t % steps == 0, probe, m, transition)

    return probe._replace(emit=emit, attrs={**probe.attrs, "every": steps}, cost=probe.cost._replace(every=steps))


def _refuse_others(what: str, probe: Any) -> None:
    if not isinstance(probe, Probe):
        raise TypeError(f"{what}: {probe!r:.60} is no Probe; call what makes it, e.g. probes.loss()")


class _Waiting(NamedTuple):
    memory: PyTree
    key: PRNGKeyArray


def delayed(start: int, probe: Probe) -> Probe:
    """The same probe, begun at time `start`: its memory is made there, from x(start), with the probe's own key.

    Before, its records are missing (NaN; 0 for integers and booleans), and nothing but x is stepped. So
    ``delayed(4000, ensemble())`` perturbs the state at t = 4,000, and ``delayed(4000, lyapunov())`` seeds its frame
    there: growth at t = 4,000 is 0, and a window may begin there. A probe's `check` looks at what it would have made at
    t = 0.

    Cost: the probe's own, from `start` on; one tangent probe then steps x once more per step.

    Raises:
        ValueError: if start is not an integer of at least 0.
    """
    start = check_count("start", start, least=0, most=_LATEST, what="the time at which a delayed probe begins")
    _refuse_others("delayed", probe)
    if start == 0:
        return probe

    def init(key: PRNGKeyArray, x: PyTree, theta: Theta) -> _Waiting:
        return _Waiting(probe.init(key, x, theta), key)

    def update(m: _Waiting, transition: Transition, *images: PyTree) -> _Waiting:
        y = transition.y  # outside the branches: what is first computed in one exists nowhere else

        def follow() -> PyTree:
            return alike(followed(m.memory, transition.fork(), *images), m.memory)

        def arrive() -> PyTree:
            made = probe.init(m.key, y, {**probe.theta, **transition.theta})
            return alike(made, m.memory)

        phase_of_clock = jnp.clip(transition.t + 2 - start, 0, 2)  # 0: waiting, 1: the step to start, 2: begun
        return _Waiting(lax.switch(phase_of_clock, (lambda: m.memory, arrive, follow)), m.key)

    def emit(m: _Waiting, transition: Transition) -> tuple[_Waiting, Any]:
        memory, record = _where(transition.t >= start, probe, m.memory, transition)
        return _Waiting(memory, m.key), record

    def later(begun: Any) -> Any:
        return begun._replace(start=max(start, begun.start))

    followed: Any = probe.update
    members, check = probe.members, probe.check
    return probe._replace(
        init=init,
        update=update,
        emit=emit,
        members=None if members is None else lambda m: later(members(m.memory)),
        check=None if check is None else lambda m: check(m.memory),
        attrs={**probe.attrs, "start": start},
        cost=later(probe.cost),
    )


def _where(taken: Bool[Array, ""], probe: Probe, m: PyTree, transition: Transition) -> tuple[PyTree, Any]:
    """A record where `taken`, a missing one else."""

    def read(m: PyTree) -> tuple[PyTree, Any]:
        memory, record = probe.emit(m, transition.fork())
        return alike(memory, m), record

    def skip(m: PyTree) -> tuple[PyTree, Any]:
        return m, jax.tree.map(_missing, jax.eval_shape(read, m)[1])

    return lax.cond(taken, read, skip, m)


def _missing(shape: jax.ShapeDtypeStruct) -> jax.Array:
    fill = jnp.nan if jnp.issubdtype(shape.dtype, jnp.floating) else 0
    return jnp.full(shape.shape, fill, shape.dtype)
