"""Curvature of the loss at one phase point: matrices by their products, and what is read off them."""

from chaosjax._eigenpairs import ExtremeEigenpairs, eigenpairs
from chaosjax.curvature._alignment import Alignment, aligned
from chaosjax.curvature._central_flow import CentralFlow, central_flow
from chaosjax.curvature._landscape import Path, Valley, along, interpolation, plane, valley
from chaosjax.curvature._layers import Layer, block, layers
from chaosjax.curvature._operators import (
    OPERATORS,
    empirical_fisher,
    fisher,
    gauss_newton,
    hessian,
    parameters,
    residual,
)
from chaosjax.curvature._quadrature import Quadrature, quadrature
from chaosjax.curvature._self_stabilisation import SelfStabilisation, self_stabilisation
from chaosjax.curvature._trace import Trace, trace

__all__ = [
    "OPERATORS",
    "Alignment",
    "CentralFlow",
    "ExtremeEigenpairs",
    "Layer",
    "Path",
    "Quadrature",
    "SelfStabilisation",
    "Trace",
    "Valley",
    "aligned",
    "along",
    "block",
    "central_flow",
    "eigenpairs",
    "empirical_fisher",
    "fisher",
    "gauss_newton",
    "hessian",
    "interpolation",
    "layers",
    "parameters",
    "plane",
    "quadrature",
    "residual",
    "self_stabilisation",
    "trace",
    "valley",
]
