"""Covariant Lyapunov vectors of the Hénon map: where stable and unstable directions nearly touch."""

from pathlib import Path

import jax
import matplotlib.pyplot as plt
import numpy as np

import chaosjax as cj


def main(out: str = "covariant_vectors.png", steps: int = 20_000) -> cj.tangent.Covariant:
    """Draws the attractor coloured by the angle, and the distribution of angles; returns what was found."""
    henon = cj.systems.henon()
    found = cj.tangent.covariant_vectors(
        henon,
        jax.random.key(0),
        dict(henon.theta or {}),
        k=2,
        transient=1000,
        steps=steps,
        backward=200,
        vectors_at=range(1000, 1000 + steps),
    )
    angle = np.degrees(found.angles[:, 0])

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained", width_ratios=[1.5, 1])
    points = left.scatter(*found.points.T, c=angle, s=1, cmap="viridis", rasterized=True)
    left.set(xlabel="x", ylabel="y")
    figure.colorbar(points, ax=left, label="angle of the two vectors (degrees)")
    right.hist(angle, bins=90, range=(0, 90), density=True, color="C0")
    right.set(xlabel="angle (degrees)", ylabel="density (1/degree)", xlim=(0, 90))
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return found


if __name__ == "__main__":
    cj.configure(x64=True)  # first of all: float64
    with cj.plotting.style():
        found = main(str(Path(__file__).with_suffix(".png")))
    print("exponents", found.exponents, "smallest angle", np.degrees(found.angles.min()), "degrees")
