"""Functions traced once, compiled once per device, and never twice in a process."""

import hashlib
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun
from jaxtyping import PyTree

from chaosjax._engine._disk_cache import from_disk
from chaosjax._engine._group import Group, is_spread, sharding_of
from chaosjax._results import unwrap_keys

_HASHED_BYTES = 2**28
"""Arrays beyond it enter a fingerprint by shape alone; the checksum of a data set stands in the system's attrs."""

_EMBEDDED_BYTES = 2**18
"""Arrays up to it become part of a program: of a single cell 10 % faster."""

_KEPT = 64
"""Executables that a process keeps, the last used ones."""

_executables: OrderedDict[str, jax.stages.Compiled] = OrderedDict()
_lock = threading.Lock()


_sources: Counter[str] = Counter()


def sources() -> Counter[str]:
    """How many programs of this process were "compiled", or taken "from_disk" or "from_memory"."""
    return Counter(_sources)


def hoisted(function: Callable[..., PyTree], *args: PyTree) -> tuple[Callable[..., PyTree], list[Any], ClosedJaxpr]:
    """Return the function with the large arrays it closes over as its first argument, those arrays, and the trace.

    Embedded into a program, a large training set would be copied and folded by the compiler. A small one is: the
    compiler then lays it out as its matrix products read it.
    """
    traced, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
    treedef = jax.tree.structure(shapes)
    large = [getattr(constant, "nbytes", 0) > _EMBEDDED_BYTES or is_spread(constant) for constant in traced.consts]

    def with_data(data: list[Any], *args: PyTree) -> PyTree:
        given = iter(data)
        constants = [next(given) if hoist else own for hoist, own in zip(large, traced.consts, strict=True)]
        return jax.tree.unflatten(treedef, jaxpr_as_fun(ClosedJaxpr(traced.jaxpr, constants))(*jax.tree.leaves(args)))

    return with_data, [constant for hoist, constant in zip(large, traced.consts, strict=True) if hoist], traced


class Data:
    """What programs close over, on every device once, however many programs share it."""

    def __init__(self, devices: Sequence[Any]):
        self._devices = devices
        self._placed: dict[int, tuple[Any, dict[Any, jax.Array]]] = {}

    def place(self, constants: list[Any]) -> dict[Any, list[jax.Array]]:
        """The constants by device."""
        for constant in constants:
            if id(constant) not in self._placed:  # the constant is held too, so that its id stays its own
                on_devices = {device: _placed(constant, device) for device in self._devices}
                self._placed[id(constant)] = constant, on_devices
        return {device: [self._placed[id(constant)][1][device] for constant in constants] for device in self._devices}


def _placed(constant: Any, device: Any) -> jax.Array:
    """Samples that are spread over a group stay so."""
    return constant if is_spread(constant) else jax.device_put(constant, sharding_of(device))


class Program:
    """A function of one batch, traced once; `compile` makes it run on every device.

    Args:
        function: of a batch's arrays.
        arguments: their shapes and dtypes.
        data: holds what the function closes over.
        donate: place of the argument whose memory the outputs may take.
    """

    def __init__(
        self,
        function: Callable[..., PyTree],
        arguments: tuple[PyTree, ...],
        devices: Sequence[Any],
        data: Data,
        donate: int | None = None,
    ):
        with_data, constants, self._traced = hoisted(function, *arguments)
        self._function = jax.jit(
            with_data,
            donate_argnums=() if donate is None else donate + 1,
            out_shardings=sharding_of(devices[0]) if isinstance(devices[0], Group) else None,
        )
        self._arguments = arguments
        self._constants = data.place(constants)
        self._devices = devices
        self._compiled: dict[Any, jax.stages.Compiled] = {}

    def lower(self) -> dict[Any, jax.stages.Lowered]:
        """The program for each device, ready for the compiler."""
        return {device: self._function.lower(*self._shapes(device)) for device in self._devices}

    def lower_for(self, platform: str, sharding: Any = None) -> jax.stages.Lowered:
        """The program for a platform that this machine need not have: "cuda", "rocm", "tpu".

        Args:
            sharding: of a device of that platform, without which it cannot be compiled.
        """
        shapes = self._shapes_on(self._devices[0], sharding)
        return self._function.trace(*shapes).lower(lowering_platforms=(platform,))

    def compile(self, lowered: dict[Any, jax.stages.Lowered]) -> None:
        """Compile for every device what this process has not compiled before."""
        self._compiled = {device: executable(program, device) for device, program in lowered.items()}

    @property
    def working_bytes(self) -> int:
        """Temporary memory of one call, by the compiler's own account; 0 where it gives none."""
        accounts = [compiled.memory_analysis() for compiled in self._compiled.values()]
        return max((account.temp_size_in_bytes for account in accounts if account is not None), default=0)

    def __call__(self, device: Any, *args: PyTree) -> PyTree:
        """Run it on a device's arrays."""
        return self._compiled[device](self._constants[device], *args)

    def digest(self) -> bytes:
        """A hash of the traced program and its data; of data above `_HASHED_BYTES` only shape and dtype count."""
        digest = hashlib.sha256(re.sub(r"0x[0-9a-f]+", "", str(self._traced.jaxpr)).encode())
        for constant in jax.device_get(unwrap_keys(_constants(self._traced))):
            array = np.ascontiguousarray(constant)
            digest.update(f"{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes() if array.nbytes <= _HASHED_BYTES else b"")
        return digest.digest()

    def _shapes(self, device: Any) -> tuple[PyTree, ...]:
        return self._shapes_on(device, sharding_of(device))

    def _shapes_on(self, device: Any, sharding: Any) -> tuple[PyTree, ...]:
        def shape(leaf: Any) -> jax.ShapeDtypeStruct:
            own = leaf.sharding if is_spread(leaf) else sharding
            return jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype, sharding=own)

        return jax.tree.map(shape, (self._constants[device], *self._arguments))


def _constants(traced: ClosedJaxpr) -> list[Any]:
    """All arrays that a program closes over, those of calls within it included."""
    inner = [part for equation in traced.jaxpr.eqns for value in equation.params.values() for part in _closed(value)]
    return [*traced.consts, *(constant for part in inner for constant in _constants(part))]


def _closed(value: Any) -> list[ClosedJaxpr]:
    parts = value if isinstance(value, tuple | list) else [value]
    plain = [ClosedJaxpr(part, ()) if isinstance(part, Jaxpr) else part for part in parts]
    return [part for part in plain if isinstance(part, ClosedJaxpr)]


def executable(lowered: jax.stages.Lowered, device: Any) -> jax.stages.Compiled:
    """Compile for a device, or take what this process compiled of the same program under the same settings."""
    settings = (device, lowered.in_tree, lowered.out_tree, sorted(jax.config.values.items(), key=lambda item: item[0]))
    text = lowered.as_text()
    if "callback" in text:  # the text does not say which function is called back
        _sources["compiled"] += 1
        return lowered.compile()
    key = hashlib.sha256(f"{text}{settings}".encode()).hexdigest()
    with _lock:
        if key in _executables:
            _executables.move_to_end(key)
            _sources["from_memory"] += 1
            return _executables[key]
    hits = from_disk()
    compiled = lowered.compile()
    with _lock:
        _sources["from_disk" if from_disk() > hits else "compiled"] += 1
        _executables[key] = compiled
        while len(_executables) > _KEPT:
            _executables.popitem(last=False)
    return compiled
