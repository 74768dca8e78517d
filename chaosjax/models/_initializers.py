"""Kernel initialisations of the theory of wide networks and of the studies, by name."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from flax import nnx
from jaxtyping import Array, Float


@runtime_checkable
class Activation(Protocol):
    """A function of each number of an array."""

    def __call__(self, x: Float[Array, "..."], /) -> Float[Array, "..."]: ...


INITIALIZERS: dict[str, Callable[[float], nnx.Initializer]] = {
    "normal": lambda scale: nnx.initializers.normal(scale),
    "lecun": lambda scale: nnx.initializers.variance_scaling(scale**2, "fan_in", "normal"),
    "xavier": lambda scale: nnx.initializers.variance_scaling(scale**2, "fan_avg", "normal"),
    "he": lambda scale: nnx.initializers.variance_scaling(2 * scale**2, "fan_in", "normal"),
    "ntk": lambda scale: nnx.initializers.normal(scale),
}
"""With n inputs, m outputs and σ = scale: normal N(0, σ²); lecun N(0, σ²/n); xavier N(0, 2σ²/(n + m)); he N(0, 2σ²/n);
ntk N(0, σ²), whose layer multiplies by 1/√n instead (Jacot et al., NeurIPS 2018)."""


def initializer(name: str, scale: float) -> nnx.Initializer:
    """Return the kernel initialisation of that name with standard deviation factor `scale`.

    Raises:
        ValueError: an unknown name or a scale that is not positive.
    """
    if name not in INITIALIZERS:
        raise ValueError(f"init={name!r} is not known; choose from {', '.join(INITIALIZERS)}")
    if not scale > 0:
        raise ValueError(f"init_scale={scale!r} must be positive")
    return INITIALIZERS[name](scale)


def activation_function(name: str | Activation) -> Activation:
    """Return the activation of that name in `flax.nnx` (tanh, sigmoid, relu, gelu, …), or the function itself.

    Raises:
        ValueError: an unknown name.
    """
    if callable(name):
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"activation={name!r} is not known; choose from {', '.join(ACTIVATIONS)}, or give a function")
    return getattr(nnx, name) if name != "linear" else lambda x: x


ACTIVATIONS = ("tanh", "sigmoid", "relu", "gelu", "silu", "softplus", "elu", "leaky_relu", "linear")
