"""The answer of the search for a learning rate, in words and as a figure."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from chaosjax import plotting, stats
from chaosjax._questions._probing import SLACK


@dataclass(frozen=True, eq=False, repr=False)
class FoundLearningRate:
    """What `find_learning_rate` found; it prints as a sentence and a few lines, and draws itself by `plot`.

    Attributes:
        learning_rate: ``[bound]``, the recommended one; its interval holds those which the probing runs expect to take
            at most 10 % longer, and is no wider than the rates probed last. NaN where nothing trained.
        training_time: ``[bound]``, steps to the target, extrapolated where the probing runs ended before it; NaN
            without a target, or where it is too far away to tell (`low` is then the length of the probing runs).
        onset: ``[bound]``, η_c: where the tangent's exponent first rises through `level`, between neighbouring rates.
            NaN: no edge found, for the reason in `notes`.
        stable: the largest learning rate that trained in every round that tried it.
        unstable: the smallest above it that diverged or ended above the loss it began with; NaN: none.
        cost: gradient evaluations: steps and tangent products.
        budget: what they were allowed to be.
        level: exponent that counts as chaos, nats per step.
        target: metric and value, or None.
        notes: what could not be known.
        rounds: the records of each round.
    """

    learning_rate: xr.DataArray
    training_time: xr.DataArray
    onset: xr.DataArray
    stable: float
    unstable: float
    cost: int
    budget: int
    level: float
    target: tuple[str, float] | None
    notes: tuple[str, ...]
    rounds: tuple[xr.Dataset, ...]

    @property
    def sentence(self) -> str:
        """The answer in plain words."""
        rate, low, high = map(float, stats.bounds(self.learning_rate))
        if np.isnan(rate):
            return "No learning rate of the range trained: the loss rose, or stayed, wherever it was tried."
        said = f"Take {rate:.3g}; from {low:.3g} to {high:.3g} training should take at most {SLACK:.0%} longer."
        steps, least, most = map(float, stats.bounds(self.training_time))
        if self.target is not None:
            goal = f"{self.target[0].replace('_', ' ')} {self.target[1]:g}"
            known = f"in about {steps:.0f} steps ({least:.0f} to {most:.0f})"
            said += f" It should reach {goal} {known if np.isfinite(steps) else f'in more than {least:.0f} steps'}."
        onset = float(stats.bounds(self.onset)[0])
        edges = [f"turns chaotic at {onset:.3g}"] if np.isfinite(onset) else []
        edges += [f"no longer trains at {self.unstable:.3g}"] if np.isfinite(self.unstable) else []
        return said + (f" Training {' and '.join(edges)}." if edges else " No edge found.")

    def plot(self, title: str = "") -> Figure:
        """Draw the loss at the end of every probing run over η, and the curves of the last rounds."""
        return plotting.learning_rate(self, title)

    def __repr__(self) -> str:
        rounds = "; ".join(f"{r.sizes['learning_rate']} × {float(r['time'][-1]):.0f} steps" for r in self.rounds)
        onset = "no edge found" if self.onset.isnull()[0] else stats.format_interval(self.onset)
        unstable = "not reached" if np.isnan(self.unstable) else f"{self.unstable:.3g}"
        lines = [
            self.sentence,
            f"  onset η_c, exponent above {self.level:g} nats/step: {onset}",
            f"  trains up to {self.stable:.3g}; unstable from: {unstable}",
            f"  cost: {self.cost:,} of {self.budget:,} gradient evaluations ({rounds})",
            *(f"  {note}" for note in self.notes),
        ]
        return "\n".join(lines)
