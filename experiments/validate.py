"""Holds every estimator against exact, dense or published values: `python -m experiments.validate` (`make validate`).

Writes docs/validation.md, or `--out FILE`; `--only NAME …` runs and prints some of the sections.
"""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import jax
from rich.console import Console

import chaosjax as cj
from experiments.validation.ensembles import ensembles
from experiments.validation.reference_systems import reference_systems
from experiments.validation.rows import Row, table
from experiments.validation.scalar_series import scalar_series
from experiments.validation.statistics import statistics
from experiments.validation.tangent_instruments import tangent_instruments
from experiments.validation.training_maps import training_maps

SECTIONS = {
    "systems": (
        reference_systems,
        "Spectra of the reference systems",
        "`probes.lyapunov` with QR at every step, mean over seeds (different starts) after a transient; exponents of "
        "maps in nats per step, of flows in nats per unit time. The standard error is that over seeds.",
    ),
    "training": (
        training_maps,
        "Spectra of training maps",
        "2–4(tanh)–2 on spirals, squared error, full batch, through the edge of stability. The reference "
        "orthonormalises the dense Jacobians of the very points of the run in extended precision, from the same first "
        "frame; the row shows the exponent that is furthest off. A direction that contracts by 1e-16 against others "
        "before the edge comes back from rounding (at 1e-19 in the reference), and the two then differ by more than "
        "1e-8. Float32 is shown twice: its tangent against extended precision along the same points, and two runs from "
        "the same weights, whose trajectories part where training is unstable, and their exponents with them.",
    ),
    "ensembles": (
        ensembles,
        "Ensemble against tangent",
        "While a perturbation is linear, the ratio of its length to that of the tangent vector it began as is 1.",
    ),
    "tangent": (
        tangent_instruments,
        "Other instruments",
        "GALI and SALI, covariant vectors, singular vectors, expansion entropy, finite-size exponents, renormalised "
        "copies.",
    ),
    "series": (
        scalar_series,
        "Scalar series",
        "Default arguments, 5,000 points, 8 orbits. The 0–1 test's own interval is the spread of K over frequencies, "
        "not an interval for the limit 0 or 1.",
    ),
    "statistics": (
        statistics,
        "Statistics",
        "Simulated coverage of 95 % intervals, and the exponential-window fit on synthetic distances.",
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), help="sections to run")
    parser.add_argument("--out", type=Path, help="the page to write; default docs/validation.md if all sections run")
    given = parser.parse_args()
    cj.configure(x64=True)
    begun = time.perf_counter()
    console = Console(stderr=True)
    found: dict[str, list[Row]] = {}
    for name in given.only:
        with console.status(f"{SECTIONS[name][1]} …"):
            found[name] = SECTIONS[name][0]()
        missed = sum(not row.met for row in found[name])
        seconds = time.perf_counter() - begun
        console.print(
            f"{seconds:5.0f} s  {SECTIONS[name][1]}: {len(found[name])} checks, {missed} missed", highlight=False
        )
    out = given.out or (Path(__file__).parents[1] / "docs/validation.md" if len(found) == len(SECTIONS) else None)
    text = page(found, time.perf_counter() - begun)
    if out is None:
        print(text)
        return
    try:
        out.write_text(text)
    except OSError as error:
        print(text)
        sys.exit(f"error: {out} cannot be written ({error.strerror}); the page stands above, --out names another file")
    print(f"written: {out}")


def page(found: dict[str, list[Row]], seconds: float) -> str:
    """The page as markdown."""
    rows = [row for part in found.values() for row in part]
    missed = [row for row in rows if not row.met]
    device = jax.local_devices()[0]
    lines = [
        "# Validation",
        "",
        "Written by `make validate`: every estimator on every system it applies to, against an exact value, a dense "
        "computation or a published one. *Off by* is relative to the reference (in %) or absolute, as the aim is; *in "
        "s.e.* is the same in standard errors of the estimate.",
        "",
        f"{len(rows)} checks, {len(rows) - len(missed)} within their aim, {seconds:.0f} s in all, "
        f"{datetime.now(UTC):%Y-%m-%d}, jax {jax.__version__}, float64 on {jax.local_device_count()} × "
        f"{device.device_kind}.",
        "",
    ]
    if missed:
        lines += ["Missed:", "", *[f"- {row.system}, {row.estimator}" for row in missed], ""]
    for name, part in found.items():
        lines += [f"## {SECTIONS[name][1]}", "", SECTIONS[name][2], "", *table(part)]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main()
