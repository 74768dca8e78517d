"""The Lyapunov exponents of a system, with errors and a verdict."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import t as student

from chaosjax import probes, stats
from chaosjax._checks import check_count
from chaosjax._parts import check_system
from chaosjax._questions._settings import seeds_of
from chaosjax._sweep import sweep
from chaosjax._system import System

RECORDS_PER_BATCH = 50
VERDICTS = {True: "chaotic", False: "not chaotic", None: "undecided"}


@dataclass(frozen=True, eq=False, repr=False)
class LyapunovExponents:
    """What `lyapunov_exponents` found.

    Attributes:
        exponents: ``[bound, exponent]``, nats per step, or per unit time for a flow.
        standard_error: ``[exponent]``, in the same units.
        kaplan_yorke: Kaplan–Yorke dimension; NaN where the k exponents do not sum to less than 0.
        verdict: "chaotic", "not chaotic" or "undecided", by the sign of the largest exponent's interval.
        converged: by the verdict of `stats.lyapunov_spectrum`, for all k exponents.
        window: first and last time of the average, in steps.
        seeds: number of orbits asked for.
        lost: how many of them diverged, or have no finite growth; they are left out.
        records: what the sweep recorded: `growth`, ``[seed, time, exponent]``, `alive` and `diverged_at`.
    """

    exponents: xr.DataArray
    standard_error: xr.DataArray
    kaplan_yorke: float
    verdict: str
    converged: bool
    window: tuple[int, int]
    seeds: int
    lost: int
    records: xr.Dataset

    def __repr__(self) -> str:
        unit, confidence = self.exponents.attrs["units"], self.exponents.attrs["confidence"]
        lost = f", {self.lost} of them lost" if self.lost else ""
        known = math.isfinite(self.kaplan_yorke)
        more = "the orbits diverged" if self.lost == self.seeds else "needs more exponents, with a sum below 0"
        dimension = f"{self.kaplan_yorke:.3g}" if known else f"unknown: {more}"
        return "\n".join(
            [
                f"Lyapunov exponents over steps {self.window[0]} to {self.window[1]} of {self.seeds} seeds{lost}",
                *(
                    f"  λ{i + 1} = {_words(interval)} {unit}"
                    for i, interval in enumerate(self.exponents.transpose("exponent", "bound"))
                ),
                f"  {self.verdict}, {'converged' if self.converged else 'not converged'} "
                f"({confidence:.0%} intervals); Kaplan–Yorke dimension {dimension}",
            ]
        )


def lyapunov_exponents(
    system: System,
    k: int = 1,
    *,
    steps: int,
    theta: Mapping[str, Any] = MappingProxyType({}),
    transient: int | None = None,
    seeds: int = 4,
    time_step: float | None = None,
    error: float | None = None,
    batches: int = 20,
    confidence: float = 0.95,
    **options: Any,
) -> LyapunovExponents:
    r"""Return the k largest Lyapunov exponents of any system with errors, and say whether it is chaotic.

    .. math:: λ_i = \frac{1}{T - T_0} \sum_{T_0 < t \le T} \langle g_i(t) \rangle_s

    with g the growth of `probes.lyapunov` and the mean over seeds s: first phase points, and minibatches, of their
    own. The interval is the wider one of two: that of `stats.lyapunov_spectrum` for the mean growth, by batch means
    along time, and Student's t of the seeds' own exponents. The first knows how growth varies along an orbit; the
    second knows when orbits do not share one attractor, or a run is too short to forget its start.

    A training run that ends has finite-time exponents: for them choose `transient` and `steps` as the window meant.

    Args:
        k: number of exponents, at most the dimension of the phase space.
        steps: T, with the transient.
        theta: control parameters by name; the system's defaults hold for others.
        transient: T₀, steps left out at the start; None: a tenth of `steps`.
        seeds: number of orbits.
        time_step: length of a step in units of time; None: the system's own for a flow, else 1.
        error: standard error, in the units of the exponents, at which the run ends early; None: it does not.
        batches: parts along time, at least 4.
        confidence: of the intervals, between 0 and 1.
        options: further options of `sweep`, e.g. ``progress=False`` or ``store``.

    Raises:
        ValueError: an argument is out of range, or an objection of `sweep` or `probes.lyapunov`.

    Cost: per step and seed one step and k tangent products. 20,000 steps of four orbits: a few seconds for a map or a
    flow of the textbooks, compilation included.

    Source: Benettin, Galgani, Giorgilli, Strelcyn, Meccanica 15 (1980) 9.
    """
    check_system(system)
    check_count("batches", batches, least=4)
    steps = check_count("steps", steps, least=2 * batches, what="two per batch at least")
    most = steps - 2 * batches
    transient = min(steps // 10, most) if transient is None else check_count("transient", transient, 0, most)
    time_step = float(system.attrs.get("time_step", 1.0) if time_step is None else time_step)
    stride = _stride(math.gcd(steps, transient), (steps - transient) // (RECORDS_PER_BATCH * batches))

    def spectrum(records: xr.Dataset) -> xr.Dataset:
        mean = _kept(records["growth"]).mean("seed")
        return stats.lyapunov_spectrum(mean, transient, None, batches, error, confidence, time_step)

    def reached(records: xr.Dataset) -> bool:
        enough = int((records["time"] > transient).sum()) >= 2 * batches
        return enough and bool(spectrum(records)["converged"].all())

    if error is not None:
        options = {"until": reached, "chunk": max(1, steps // stride // 20), **options}
    instruments = {"growth": probes.lyapunov(k)}
    axes = seeds_of(theta, seeds)
    records = sweep(system, instruments, axes, steps=steps, stride=stride, noise="independent", **options)
    records = records.isel(dict.fromkeys(theta, 0)).load()
    found, kept = spectrum(records), _kept(records["growth"])
    own = stats.finite_time_exponents(kept, transient, None) / time_step
    entries = kept.sizes["seed"]
    scatter = own.std("seed", ddof=1) / math.sqrt(entries) if entries > 1 else 0.0
    mean, _, high = stats.bounds(found["exponents"])
    reach = np.maximum(high - mean, student.ppf(0.5 + confidence / 2, max(entries - 1, 1)) * scatter)
    how = found["exponents"].attrs | {"interval": "the wider one of batch means along time and of seeds"}
    exponents = stats.interval(mean, mean - reach, mean + reach, **how)
    return LyapunovExponents(
        exponents=exponents,
        standard_error=found["standard_error"].clip(min=scatter, keep_attrs=True),
        kaplan_yorke=float(found["kaplan_yorke"]),
        verdict=VERDICTS[stats.above(exponents.isel(exponent=0), 0)],
        converged=bool(found["converged"].all()),
        window=(transient, int(records["time"][-1])),
        seeds=seeds,
        lost=seeds - int(_finite(records["growth"]).sum()),
        records=records,
    )


def _words(interval: xr.DataArray) -> str:
    """An interval to two digits of its half width."""
    estimate, low, high = map(float, stats.bounds(interval))
    if not low < high:
        return stats.format_interval(interval)
    digits = min(max(0, 1 - math.floor(math.log10((high - low) / 2))), 12)
    return f"{estimate:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _stride(common: int, most: int) -> int:
    """Largest divisor of `common` up to `most`, and 1 at least: steps and transient are then recorded times."""
    return next((stride for stride in range(most, 1, -1) if common % stride == 0), 1)


def _finite(growth: xr.DataArray) -> xr.DataArray:
    return xr.ufuncs.isfinite(growth).all(("time", "exponent"))


def _kept(growth: xr.DataArray) -> xr.DataArray:
    """The growth of the seeds without a gap, or of all where there is none."""
    finite = _finite(growth)
    return growth.isel(seed=np.flatnonzero(finite)) if bool(finite.any()) else growth
