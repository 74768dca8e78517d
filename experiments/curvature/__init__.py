"""Experiments on curvature and the edge of stability."""
