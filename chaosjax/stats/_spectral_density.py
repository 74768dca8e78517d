"""The density of a spectrum and means over its eigenvalues, from the nodes and weights of a quadrature."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from scipy.stats import t as student

from chaosjax.stats._checks import require_dims
from chaosjax.stats._interval import interval

POINTS = 400
"""Values at which a density is given unless told otherwise."""


def spectral_integral(
    nodes: xr.DataArray,
    weights: xr.DataArray,
    function: Callable[[xr.DataArray], xr.DataArray],
    confidence: float = 0.95,
) -> xr.DataArray:
    r"""Return the mean of f over the eigenvalues of a matrix, ``(1/p) Σ f(λ_j)``, with Student's interval over vectors.

    .. math:: \bar I \pm t_{n-1} s / \sqrt n, \qquad I_v = \sum_k w_{vk} f(\theta_{vk})

    For polynomials of degree below twice the depth it has no other error. Elsewhere it also has the quadrature's, which
    the interval does not hold: it is small where f hardly changes between neighbouring nodes.

    Args:
        nodes: ``[..., vector, node]``, of `probes.spectral_density`.
        weights: ``[..., vector, node]``.
        function: of the eigenvalues, entry by entry; it may add dimensions.

    Returns:
        ``[bound, ...]``. p times the mean of ``lambda x: x`` is the trace.

    Raises:
        ValueError: a dimension is missing.
    """
    for name, array in (("nodes", nodes), ("weights", weights)):
        for dim in ("vector", "node"):
            require_dims(array, name, dim)
    each = (weights * function(nodes)).sum("node", skipna=False)
    n = each.sizes["vector"]
    spread = each.std("vector", ddof=1, skipna=False) if n > 1 else each.mean("vector", skipna=False) * np.nan
    half = student.ppf((1 + confidence) / 2, max(n - 1, 1)) * spread / np.sqrt(n)
    mean = each.mean("vector", skipna=False)
    return interval(mean, mean - half, mean + half, interval="Student", confidence=confidence, entries=n)


def spectral_density(
    nodes: xr.DataArray,
    weights: xr.DataArray,
    at: Sequence[float] | np.ndarray | None = None,
    width: float | None = None,
    confidence: float = 0.95,
) -> xr.DataArray:
    """Return the density of eigenvalues, ``φ(λ) = (1/p) Σ_j N(λ; λ_j, width²)``, with its interval over vectors.

    Args:
        nodes: ``[..., vector, node]``, of `probes.spectral_density`.
        weights: ``[..., vector, node]``.
        at: values λ; by default 400 from below the smallest node to above the largest.
        width: standard deviation of the Gaussians; by default the range of the nodes by their number, which is about
            as fine as a quadrature knows a density. Finer, it shows its own nodes.

    Returns:
        ``[bound, ..., curvature]``, per unit of curvature; its integral is 1.

    Raises:
        ValueError: a dimension is missing, or the width is not positive, or all nodes are NaN.
    """
    low, high = float(nodes.min()), float(nodes.max())
    width = (high - low or 1.0) / nodes.sizes["node"] if width is None else width
    if not width > 0:
        raise ValueError(f"spectral_density: width={width!r} must be positive; give it (that of NaN nodes is NaN)")
    values = np.linspace(low - 4 * width, high + 4 * width, POINTS) if at is None else np.asarray(at, float)
    grid = xr.DataArray(values, dims="curvature", coords={"curvature": values})

    def gaussian(nodes: xr.DataArray) -> xr.DataArray:
        return xr.ufuncs.exp(-0.5 * ((grid - nodes) / width) ** 2) / (width * np.sqrt(2 * np.pi))

    found = spectral_integral(nodes, weights, gaussian, confidence)
    found["curvature"] = found["curvature"].assign_attrs(long_name="eigenvalue λ", units=nodes.attrs.get("units", ""))
    return found.assign_attrs(long_name="spectral density", width=width)
