"""Chaos or minibatch noise: copies that share their minibatches, beside copies with minibatches of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import t as student

from chaosjax import probes, stats
from chaosjax._parts import check_system
from chaosjax._questions._settings import default_radius, jumps_of, opposed, seeds_of
from chaosjax._sweep import sweep
from chaosjax._system import System, no_noise

VERDICTS = {True: "chaos", False: "noise", None: "undecided"}
MOST_SEEDS = 10_000


@dataclass(frozen=True, eq=False, repr=False)
class ChaosOrNoise:
    """What `is_chaotic` found.

    Attributes:
        verdict: "chaos", "noise" or "undecided", by the tangent; by the copies where `opposed`.
        tangent: ``[bound]``, exponent of the tangent in the common-noise ensemble's steepest window, nats per step.
        ensemble: ``[bound]``, exponent of that ensemble in the same window, nats per step.
        excess: ``[bound]``, last distance of copies with minibatches of their own, over that of such a copy which was
            not perturbed, geometric mean over seeds. About 1 says that the perturbation made no difference.
        level: exponent that counts as chaos, nats per step.
        opposed: the intervals of tangent and ensemble lie on opposite sides of `level`, or the step jumps and has no
            tangent: a derivative says what copies do only as long as the step is nearly linear over their distance.
        seeds: number of runs.
        seeds_to_decide: estimate of the runs that it takes to tell that exponent from `level`; None for more
            than 10,000, or where it cannot be estimated (one seed, or one that diverged).
        records: what the sweep recorded: `distance`, `noisy`, `noisy_null` and `growth`.
    """

    verdict: str
    tangent: xr.DataArray
    ensemble: xr.DataArray
    excess: xr.DataArray
    level: float
    opposed: bool
    seeds: int
    seeds_to_decide: int | None
    records: xr.Dataset

    @classmethod
    def of(cls, records: xr.Dataset, level: float = 0.05) -> "ChaosOrNoise":
        """Answer from the records of a sweep over seeds.

        Args:
            records: `distance` and `noisy`, ``[seed, time, copy]``, of ensembles under common and independent noise;
                `noisy_null`, ``[seed, time]``; `growth`, ``[seed, time, exponent]``, unless the step jumps.
            level: as in `is_chaotic`.
        """
        common, independent = (stats.mean_over_copies(records[name]) for name in ("distance", "noisy"))
        fit = stats.exponential_window(common, select="slope")
        measured = stats.tangent_in_windows(records["growth"], fit) if "growth" in records else fit["exponent"] * np.nan
        tangent, ensemble = stats.mean_interval(measured), stats.mean_interval(fit["exponent"])
        by_copies = bool(opposed(tangent, ensemble, level))
        cells, exponent = (fit["exponent"], ensemble) if by_copies else (measured, tangent)
        decided = stats.above(exponent, level)
        seeds = records.sizes["seed"]
        needed = _seeds_to_decide(cells.values, level, exponent.attrs["confidence"])
        if needed is not None and decided is None:
            needed = max(needed, seeds + 1)
        return cls(
            verdict=VERDICTS[decided],
            tangent=tangent,
            ensemble=ensemble,
            excess=_mean_ratio((independent / records["noisy_null"]).isel(time=-1, drop=True)),
            level=level,
            opposed=by_copies,
            seeds=seeds,
            seeds_to_decide=needed,
            records=records,
        )

    def __repr__(self) -> str:
        needed = (
            f"it would take about {self.seeds_to_decide}" if self.seeds_to_decide else "how many it takes is unknown"
        )
        verdict = f"{self.verdict} with {self.seeds} seeds"
        verdict += f": {needed}" if self.verdict == "undecided" else ""
        diverged = int(self.records["diverged_at"].notnull().sum()) if "diverged_at" in self.records else 0
        confidence = self.ensemble.attrs["confidence"]
        why = "says the opposite, beyond both intervals" if self.tangent.notnull().any() else "is unknown"
        return "\n".join(
            [
                verdict + (f"; {diverged} diverged" if diverged else ""),
                f"  tangent, common minibatches: {stats.format_interval(self.tangent, 'nats/step')}, "
                f"chaos above {self.level:g}",
                f"  ensemble, common minibatches: {stats.format_interval(self.ensemble, 'nats/step')}",
                f"  own minibatches, perturbed over not perturbed: {stats.format_interval(self.excess)}",
                f"  [{confidence:.0%} interval over seeds]; exponents in the steepest window",
                *([f"  the tangent {why}: chaos is what the copies show"] if self.opposed else []),
            ]
        )


def is_chaotic(
    system: System,
    *,
    theta: Mapping[str, Any] = MappingProxyType({}),
    steps: int = 100,
    seeds: int = 8,
    level: float = 0.05,
    radius: float | None = None,
    copies: int = 3,
    where: str = "params",
    **options: Any,
) -> ChaosOrNoise:
    r"""Tell whether copies of a training with minibatches part by chaos or by the minibatches' noise.

    .. math:: Λ = \langle λ_s \rangle_s, \quad λ = \frac{1}{t_1 - t_0} \sum_{t_0 < t \le t_1} g(t)

    with g the tangent's growth under the minibatches of the run, in the steepest window (t₀, t₁] of perturbed copies
    that see the same minibatches: only these two measure the map. "chaos": the whole interval of Λ over seeds is above
    `level`; "noise": it is at or below, so what parts copies with minibatches of their own are the minibatches;
    "undecided": it holds `level`. Where the copies' interval lies on the other side of `level` (Adam: the first step of
    a tangent is divided by a second moment of 0), and where the step jumps (Lion), the copies decide, and the answer
    says so. For an undecided one, the number of seeds n that would decide is the least with
    :math:`t_{n-1} s / \sqrt n < |Λ - \mathtt{level}|`, s the scatter of the seeds seen.

    Args:
        system: draws minibatches (or other noise): ``training(..., batch_size=...)``.
        theta: control parameters by name; the system's defaults hold for others.
        steps: number of steps, at least 30; the window lies in it.
        seeds: number of runs, each with an initialisation and minibatches of its own.
        level: exponent that counts as chaos, nats per step. The steepest window is never far below 0: keep it above 0.
        radius: of the perturbation; None: 1e-8 in float64, 1e-5 in float32.
        copies: perturbed copies per ensemble.
        where: which coordinates are perturbed, as in `probes.ensemble`.
        options: further options of `sweep`, e.g. ``progress=False`` or ``store``.

    Raises:
        ValueError: a system without noise, an argument out of range, or an objection of `sweep` or of a probe.

    Cost: per step and seed 2 · copies + 2 steps and one tangent product. The digits net of the README with batches of
    128 and the defaults: two seconds on two cores, after some ten of compilation.

    Source: Danovski, Soriano, Lacasa, Front. Complex Syst. 2 (2024) 1367957 (ensembles); Arnold, Random Dynamical
    Systems (1998), chapter 3 (exponents under one noise).
    """
    check_system(system)
    if system.noise is no_noise:
        raise ValueError(
            "system: it draws no noise, so nothing competes with chaos; use lyapunov_exponents, or give "
            "training(..., batch_size=...)"
        )
    settings: dict[str, Any] = {"radius": default_radius(radius), "copies": copies, "where": where}
    instruments = {
        "distance": probes.ensemble(**settings),
        "noisy": probes.ensemble(**settings, noise="independent"),
    }
    if not jumps_of(system, theta):
        instruments["growth"] = probes.lyapunov()
    records = sweep(system, instruments, seeds_of(theta, seeds), steps=steps, noise="independent", **options)
    return ChaosOrNoise.of(records.isel(dict.fromkeys(theta, 0)).load(), level)


def _mean_ratio(ratios: xr.DataArray) -> xr.DataArray:
    """The geometric mean over seeds, with its interval: a ratio is positive."""
    logarithms = stats.mean_interval(xr.ufuncs.log(ratios))
    return xr.ufuncs.exp(logarithms).assign_attrs(logarithms.attrs)


def _seeds_to_decide(cells: np.ndarray, level: float, confidence: float) -> int | None:
    if len(cells) < 2 or not np.isfinite(cells).all():
        return None
    n = np.arange(2, MOST_SEEDS + 1)
    reach = student.ppf(0.5 + confidence / 2, n - 1) * cells.std(ddof=1) / np.sqrt(n)
    enough = n[reach < abs(cells.mean() - level)]
    return int(enough[0]) if len(enough) else None
