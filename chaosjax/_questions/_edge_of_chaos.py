"""The edge of chaos of a training: where it turns chaotic, where it is fastest, and how much that gains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optax
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, probes, stats
from chaosjax._checks import check_count
from chaosjax._problem import Problem
from chaosjax._questions._edge_summary import COPIES, ONSETS, TANGENT, edge_summary, score_in
from chaosjax._questions._settings import default_radius, jumps_of
from chaosjax._sweep import sweep
from chaosjax._system import System
from chaosjax._training import training


@dataclass(frozen=True, eq=False, repr=False)
class EdgeOfChaos:
    """What `edge_of_chaos` found; it prints as a table in words.

    Attributes:
        summary: per learning rate the intervals ``[bound, learning_rate]`` of exponents (`fit` and `steepest` of the
            ensemble in its straightest and steepest window, each with its `_tangent`, and `whole`, nats per step), of
            `training_time` (steps) and, if measured, of `stability` (the last sharpness measured over the
            optimizer's threshold, for SGD sharpness · η/2) with the share of living seeds in which it is converged,
            `stability_converged`; whether it is `chaotic`; whether tangent and copies are `opposed` there. For
            all: the interval of `onset` η_c, `best_fastest`, `gain_speed_up`, and what their statistics return beside.
            Attributes: `level` (nats per step), `threshold` and the `score` it is of, `horizon` (steps); `tangent`,
            "not measured", where it was not.
        records: what the sweep recorded.
    """

    summary: xr.Dataset
    records: xr.Dataset

    @classmethod
    def of(cls, records: xr.Dataset, threshold: float | list[float] = 0.9, level: float = 0.05) -> "EdgeOfChaos":
        """Average records over seeds at every learning rate; find the onset, the optimum and the speed-up.

        The chaotic range begins at the onset η_c of the tangent exponent in the steepest window of the ensemble
        (`stats.onset` at `level`) and holds the learning rates from there whose mean is above `level`. Where tangent
        and ensemble are opposed at some learning rate, their intervals on different sides of `level`, the ensemble's
        exponent takes the tangent's place: a derivative says what copies do only as long as the step is nearly linear
        over their distance. Adam's is not where gradients are nearly 0. Where they are 0, its derivative is NaN, and
        the ensemble's exponent is taken too, as where no `growth` was measured. The studies' fit takes the straightest
        window instead, which passes over a short transient. The onset of the whole run's exponent has the level 0.

        Args:
            records: a sweep over learning_rate and seed with `distance`, one of `SCORES` and, if measured, `growth` and
                `sharpness`.
            threshold: test accuracy or R² that ends the training time; several go along a dimension ``threshold``.
            level: exponent above which a window counts as chaotic, nats per step.

        Raises:
            ValueError: an objection of the statistics, e.g. a run too short for a window of 30 steps.
        """
        return cls(edge_summary(records, threshold, level), records)

    def plot(self, title: str = "") -> Figure:
        """Draw exponents, training time and, if measured, sharpness over η (`plotting.edge_of_chaos`)."""
        return plotting.edge_of_chaos(self.summary, title)

    def rows(self) -> dict[str, str]:
        """Return the answer in words, by label.

        An interval of no width is limited by the grid, not by the seeds: it then reaches to the midpoints (in ln η)
        between the grid's neighbours, and ends with "(grid)".
        """
        summary = self.summary
        found = self._onsets()
        eta = summary["learning_rate"].values[summary["chaotic"]]
        count = f"{len(eta)} of {summary.sizes['learning_rate']} learning rates"
        found["chaotic η"] = f"{eta[0]:.3g} to {eta[-1]:.3g}, {count}" if len(eta) else "none found"
        several = "threshold" in summary.dims
        for end in np.atleast_1d(summary.attrs["threshold"]):
            goal = plotting.goal(end, summary.attrs["score"])
            found |= _speed_rows(summary.sel(threshold=end) if several else summary, goal)
        for name, label in {"fit": "straightest window", "steepest": "steepest window"}.items():
            compared = int(summary[f"{name}_agreement_compared"])
            gap = stats.format_interval(summary[f"{name}_agreement_difference"], "nats/step")
            relative = f"median |difference| {float(summary[f'{name}_agreement_relative']):.1%}, {compared} cells kept"
            found[f"ensemble − tangent, {label}"] = f"{gap} ({relative})" if compared else "no cell kept"
        return found

    def _onsets(self) -> dict[str, str]:
        summary = self.summary
        opposed, grid = int(summary["opposed"].sum()), summary["learning_rate"].values
        labels = ONSETS
        if opposed:
            how = summary.attrs.get("tangent", "which is NaN")
            how = f"opposed at {opposed} of {len(grid)} η" if summary[TANGENT].notnull().any() else how
            tangents = {TANGENT: f"tangent's, {how},", "whole": "tangent's, whole run"}
            labels = {COPIES: "steepest window of copies"} | ONSETS | tangents
        found = {}
        for name, label in labels.items():
            level = 0 if name == "whole" else summary.attrs["level"]
            onset, censored = summary[f"{name}_onset"], bool(summary[f"{name}_censored"])
            first = f"at or below {float(stats.bounds(onset)[0]):.3g}, the grid's first value"
            found[f"onset η_c, {label} above {level:g} nats/step"] = first if censored else _on_grid(onset, grid)
        return found

    def __repr__(self) -> str:
        rows = self.rows()
        width = max(map(len, rows))
        confidence = self.summary["whole"].attrs["confidence"]
        runs = f"{self.records.sizes['learning_rate']} learning rates × {self.records.sizes['seed']} seeds"
        lines = [f"  {label:<{width}}  {words}" for label, words in rows.items()]
        head = f"Edge of chaos of {runs}, {self.summary.attrs['horizon']:g} steps"
        note = f"  [{confidence:.0%} interval over seeds]; kept: R² > 0.9 and exponent > 0.05"
        if any(words.endswith("(grid)") for words in rows.values()):
            note += "; (grid): limited by the grid's spacing"
        if self.summary["opposed"].any():
            known = bool(self.summary[TANGENT].notnull().any())
            gone = f"is {self.summary.attrs.get('tangent', 'NaN, the copies are not')}"
            why = "says the opposite of the copies, beyond their intervals" if known else gone
            note += f"\n  the tangent {why}: chaos is what the copies show"
        return "\n".join([head, *lines, note])


def edge_of_chaos(
    problem_or_system: Problem | System,
    *,
    optimizer: Callable[..., optax.GradientTransformation] = optax.sgd,
    batch_size: int | None = None,
    learning_rates: Sequence[float] | None = None,
    seeds: int = 3,
    steps: int = 80,
    threshold: float = 0.9,
    level: float = 0.05,
    radius: float | None = None,
    copies: int = 3,
    where: str = "kernels",
    sharpness: bool = False,
    **options: Any,
) -> EdgeOfChaos:
    r"""Find the learning rate at which training turns chaotic, the fastest one, and what chaos gains.

    .. math:: λ(η) = \Big\langle \frac{1}{t_1 - t_0} \sum_{t_0 < t \le t_1} g(t) \Big\rangle_s, \quad λ(η_c) = ℓ

    with g the tangent's growth in the steepest window (t₀, t₁] of perturbed copies, and ℓ the `level`. Where the copies
    say the opposite, their own growth decides, and the answer says so; also where the step jumps, as Lion's does, and
    there is no tangent. `EdgeOfChaos.of` tells what is found, and how.

    Args:
        problem_or_system: a problem, trained by `optimizer`; or a system with the control parameter ``learning_rate``
            and one of the metrics ``test_accuracy`` and ``test_r2``.
        optimizer: as in `training`; `batch_size` too. Both belong to a problem.
        learning_rates: a grid of positive values; None: 12 from 0.1 to 30, which suit plain gradient descent.
        seeds: initialisations per learning rate.
        steps: number of steps, at least 30.
        threshold: test accuracy that ends the training time; of targets that are no classes, test R².
        level: exponent above which a window counts as chaotic, nats per step.
        radius: of the perturbation; None: 1e-8 in float64, 1e-5 in float32.
        copies: perturbed copies per run.
        where: which coordinates are perturbed, as in `probes.ensemble`.
        sharpness: also measure `probes.preconditioned_sharpness`, at the start, in the middle and at the end.
        options: further options of `sweep`, e.g. ``progress=False`` or ``store``.

    Raises:
        ValueError: a system without test accuracy or R², or with an optimizer beside it, an argument out of range, or
            an objection of `sweep` or of a probe.

    Cost: per step and cell copies + 1 steps and one tangent product. The digits net of the README with the defaults,
    36 cells of 80 steps: some twenty seconds of processor time, half of them compilation.

    Source: Jiménez-González, Soriano, Lacasa, Phys. Rev. Research (2026), doi 10.1103/t5p9-kv5w; Danovski, Soriano,
    Lacasa, Front. Complex Syst. 2 (2024) 1367957.
    """
    steps = check_count("steps", steps, least=30, what="the shortest window of the fit")
    system = _system_of(problem_or_system, optimizer, batch_size)
    score = score_in(system.metrics, "problem_or_system")
    instruments = {
        score: probes.metric(score),
        "distance": probes.ensemble(radius=default_radius(radius), copies=copies, where=where),
    }
    if not jumps_of(system, {"learning_rate": 1.0}):
        instruments["growth"] = probes.lyapunov()
    if sharpness:
        instruments["sharpness"] = probes.every(steps // 2, probes.preconditioned_sharpness(fallback=True))
    rates = np.geomspace(0.1, 30, 12) if learning_rates is None else np.asarray(learning_rates, float)
    axes = {"learning_rate": rates, "seed": np.arange(check_count("seeds", seeds))}
    records = sweep(system, instruments, axes, steps=steps, **options)
    return EdgeOfChaos.of(records.load(), threshold, level)


def _system_of(
    given: Problem | System, optimizer: Callable[..., optax.GradientTransformation], batch_size: int | None
) -> System:
    if isinstance(given, Problem):
        system = training(given, optimizer, batch_size=batch_size)
    elif optimizer is optax.sgd and batch_size is None:
        system = given
    else:
        raise ValueError("optimizer and batch_size belong to a problem; this system has its own, so leave them out")
    return system


def _speed_rows(summary: xr.Dataset, goal: str) -> dict[str, str]:
    others, reached = float(summary["gain_non_chaotic"]), float(summary["gain_non_chaotic_reached"])
    note = "" if reached == 1 else f", reached by {reached:.0%} of its seeds"
    note = "" if np.isnan(others) else f" (best η below η_c: {others:.3g}{note})"
    return {
        f"fastest η to {goal}": _on_grid(summary["best_fastest"], summary["learning_rate"].values),
        "  its training time": stats.format_interval(summary["best_training_time"], "steps"),
        f"speed-up to {goal} of the best η in chaos": stats.format_interval(summary["gain_speed_up"]) + note,
    }


def _on_grid(interval: xr.DataArray, grid: np.ndarray) -> str:
    """An interval over the grid's axis in words; one of no width reaches to the midpoints between neighbours."""
    estimate, low, high = map(float, stats.bounds(interval))
    if low != high:
        return stats.format_interval(interval)
    smaller = grid[grid < estimate].max(initial=grid.min())
    larger = grid[grid > estimate].min(initial=grid.max())
    wide = stats.interval(estimate, (smaller * estimate) ** 0.5, (estimate * larger) ** 0.5)
    return f"{stats.format_interval(wide)} (grid)"
