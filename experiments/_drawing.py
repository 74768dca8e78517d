"""What the figures of several experiments share."""

import re
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chaosjax import provenance_of


def colours(count: int) -> list[tuple[float, float, float, float]]:
    """As many colours of one scale, from dark to light."""
    return [colormaps["viridis"](0.9 * i / max(1, count - 1)) for i in range(count)]


def title_of(dataset: xr.Dataset) -> str:
    """Data, batch, optimizer, seeds and network of a sweep in words, for the head of a figure."""
    system = provenance_of(dataset)["identity"]["system"]
    data, size = system["dataset"], system["batch_size"]
    batch = "full batch" if size is None else f"batches of {size}"
    optimizer, seeds = in_words(system["optimizer"]), dataset.sizes["seed"]
    head = f"{data['name']}, {data['train_samples']:,} samples, {batch}, {optimizer}, {seeds} seeds"
    return f"{head}\n{in_words(system['model'])}"


WORDS = {"sgd": "gradient descent", "MLP": "perceptron", "CNN": "convolutional network"}
"""What a network or an optimizer is called in a title, if not by its own name."""

PARTS: dict[str, str] = {
    "widths": "hidden units {}",
    "channels": "channels {}",
    "activation": "{}",
    "init": "{} initial weights",
    "init_scale": "times {}",
    "use_bias": "bias {}",
}
"""What an argument of a network is called there; others by their own name."""

USUAL = {"init_scale": "1.0", "use_bias": "True"}
"""Arguments that a title passes over at these values."""


def in_words(shown: str) -> str:
    """A stored network or optimizer, ``module.Name(a=1, b=(2, 3))``, in words: "Name, a 1, b 2, 3"."""
    name, _, inside = re.sub(r"^[\w.]*\.(?=\w+(\(|$))", "", shown).partition("(")
    given: dict[str, str] = dict(re.findall(r"(\w+)=(\([^()]*\)|[^,()]+)", inside.removesuffix(")")))
    order = sorted(given, key=lambda key: list(PARTS).index(key) if key in PARTS else len(PARTS))
    said = [
        PARTS.get(key, f"{key} {{}}".replace("_", " ")).format(given[key].strip("()").rstrip(","))
        for key in order
        if USUAL.get(key) != given[key]
    ]
    return ", ".join([WORDS.get(name, name), *said])


def initialisations(dataset: xr.Dataset) -> str:
    """How many networks and perturbed copies of each a sweep holds."""
    return f"{dataset.sizes['seed']} initialisations × {dataset.sizes['copy']} perturbations"


def panels(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Figure, np.ndarray]:
    """A figure of a size in inches with its axes, ``[row * column]``."""
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options).ravel()


def legend_above(ax: Axes, share: float = 0.45, **options: Any) -> None:
    """Put a legend at the top left into room of its own, a share of the height that the data take."""
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + share * (high - low))
    ax.legend(loc="upper left", **options)
