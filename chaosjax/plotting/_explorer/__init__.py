"""An explorer of any sweep: one HTML file that holds its data, its figures and all it takes to draw them."""

from chaosjax.plotting._explorer._page import Explorer, explore

__all__ = ["Explorer", "explore"]
