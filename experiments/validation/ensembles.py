"""Ensembles, Benettin's copies and the tangent on one training run, and the radii to trust."""

import time

import numpy as np
import optax

import chaosjax as cj
from experiments.validation.rows import Row

STEPS = 100
RADII = (1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2)


def ensembles(steps: int = STEPS) -> list[Row]:
    """Gradient descent on Iris at η = 1, 4–10(sigmoid)–3, as in Danovski et al. (2024)."""
    begun = time.perf_counter()
    problem = cj.supervised(cj.models.mlp([10], activation="sigmoid"), cj.datasets.iris())
    probes = {
        "distance": cj.probes.ensemble(copies=5, norm="l2", perturb="sphere", departure=True),
        "renormalised": cj.probes.benettin(copies=5),
        "growth": cj.probes.lyapunov(),
    }
    axes = {"learning_rate": [1.0], "radius": RADII, "seed": range(10)}
    ds = cj.sweep(cj.training(problem, optax.sgd), probes, axes, steps=steps, progress=False).isel(learning_rate=0)
    trust = cj.stats.trusted_radius(ds.distance_departure, steps=25)
    seconds = time.perf_counter() - begun
    system = "Iris, η = 1"
    span = (
        f"radii from {float(trust.smallest):.0e} to {float(trust.largest):.0e} stay linear for 25 steps in all "
        "10 seeds; steps with a linear ensemble, by radius: "
        + ", ".join(f"{r:.0e}: {int(n)}" for r, n in zip(RADII, trust.linear_steps.values, strict=True))
    )
    inside = ds.sel(radius=1e-10)
    window = cj.stats.linear_window(inside.distance_departure)
    ratio = inside.distance_departure.where(inside.time <= window.stop)
    rows = [
        Row(
            system,
            "‖x_i − x_0‖/‖v_i‖ − 1 while linear",
            float(ratio.max()),
            np.nan,
            0,
            0.01,
            False,
            steps,
            seconds,
            span,
        )
    ]
    found = cj.stats.compare_exponents(inside, benettin="renormalised")
    for name in ("ensemble", "benettin"):
        difference, low, high = map(float, cj.stats.bounds(found[f"{name}_difference"]))
        note = f"mean of 10 seeds, 95 % interval [{low:.4f}, {high:.4f}] nats/step: directions still turn in the window"
        rows.append(
            Row(
                system,
                f"{name} − tangent exponent",
                difference,
                (high - low) / 3.92,
                0,
                0.01,
                False,
                steps,
                seconds,
                note,
            )
        )
    return rows
