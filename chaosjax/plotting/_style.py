"""One look for all figures."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.rcsetup import cycler

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8C6D31", "#666666")
"""Blue, orange, green, vermilion, purple, sky blue, brown and grey: told apart without red and green, and by lightness
in grey (Okabe, Ito 2008, with brown and grey in the place of yellow and black)."""

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.titlesize": "medium",
        "axes.labelsize": "medium",
        "figure.titlesize": "medium",
        "font.size": 11.0,
        "image.cmap": "viridis",
        "legend.fontsize": "small",
        "legend.framealpha": 0.9,
        "legend.title_fontsize": "small",
        "savefig.dpi": 150,
    }
)
"""Settings of matplotlib: letters of 11 points, which stay legible at half a page."""


@contextmanager
def style() -> Iterator[None]:
    """Draw figures in the look of the package's own: ``with cj.plotting.style(): …``.

    Colours that colour-blind readers can tell apart and that differ in grey, and letters that stay legible where a
    figure is half a page wide. Figures of `plotting` look so anywhere.
    """
    settings: dict[Any, Any] = dict(STYLE)
    with matplotlib.rc_context(settings):
        yield
