"""What the figures of several experiments share."""

import re
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.figure import Figure

from chaosjax import provenance_of


def colours(count: int) -> list[tuple[float, float, float, float]]:
    """As many colours of one scale, from dark to light."""
    return [colormaps["viridis"](0.9 * i / max(1, count - 1)) for i in range(count)]


def title_of(dataset: xr.Dataset) -> str:
    """Data, batch, optimizer, seeds and network of a sweep, for the head of a figure."""
    system = provenance_of(dataset)["identity"]["system"]
    data, size = system["dataset"], system["batch_size"]
    model, optimizer = (re.sub(r"^[\w.]*\.", "", system[part]) for part in ("model", "optimizer"))
    batch = "full batch" if size is None else f"batches of {size}"
    seeds = dataset.sizes["seed"]
    return f"{data['name']}, {data['train_samples']} samples, {batch}, {optimizer}, {seeds} seeds\n{model}"


def initialisations(dataset: xr.Dataset) -> str:
    """How many networks and perturbed copies of each a sweep holds."""
    return f"{dataset.sizes['seed']} initialisations × {dataset.sizes['copy']} perturbations"


def panels(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of a size in inches with its axes, ``[row * column]``."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options).ravel()
