"""Everything that decides how numbers are rounded: x64, matrix products, determinism, and the floor of a radius."""

import os

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

ROUNDING_TOLERANCE = 0.1
"""Largest relative error with which a perturbation may be realised (L1 norm of the error over that of the
perturbation). It admits 1e-14 in float64 around weights of order 1, and refuses 1e-8 in float32."""


def enable_x64() -> None:
    """Computes in float64 from here on. Call it before any array is made: existing float32 arrays stay float32."""
    jax.config.update("jax_enable_x64", True)


def configure(x64: bool = True, matmul: str | None = None, deterministic: bool = False) -> None:
    """Sets all of a program's numerics at once; call it first.

    Args:
        x64: float64 (True) or float32.
        matmul: precision of float32 matrix products on accelerators ("highest", "tensorfloat32", …; None keeps
            JAX's default).
        deterministic: asks XLA for run-to-run determinism on a GPU (slower scatters).
    """
    if deterministic:
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    jax.config.update("jax_enable_x64", x64)
    jax.config.update("jax_default_matmul_precision", matmul)


def working_dtype() -> np.dtype:
    """The float type that new arrays get: float64 under x64, else float32."""
    return jnp.result_type(float)


def describe() -> dict[str, str | bool]:
    """The settings that decide rounding, as plain values for a result's provenance."""
    return {
        "x64": working_dtype() == np.float64,
        "matmul_precision": str(jax.config.values["jax_default_matmul_precision"] or "default"),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }


def rounding_of(
    u: Float[Array, " d"], delta: Float[Array, "copies d"], perturbed: Float[Array, "copies d"]
) -> Float[Array, ""]:
    """Relative error with which `perturbed` holds ``u + δ``: ``‖perturbed − u − δ‖₁ / ‖δ‖₁``, 0 for δ = 0."""
    size = jnp.sum(jnp.abs(delta))
    error = jnp.sum(jnp.abs((perturbed - u[None]) - delta))
    return jnp.where(size == 0, 0.0, error / jnp.where(size == 0, 1.0, size))
