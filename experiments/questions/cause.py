"""Is chaos the cause of the speed-up, or only its companion? Training at fixed rates with its chaos interfered with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown
from experiments.questions.cause_figures import figures
from experiments.questions.cause_trials import WINDOW, rates_of, speeds, times
from experiments.questions.interventions import ARMS, BASES, NOISES, ORDERS

NAMES = {
    "arms": [arm[0] for arm in ARMS],
    "noise": [f"calm, noise in {arm[0]}" for arm in NOISES],
    "orders": [order[0] for order in ORDERS],
}


def summarise(
    jobs: Mapping[str, Mapping[str, xr.Dataset]], calm: float, chaotic: float, ends: Mapping[str, Any]
) -> xr.Dataset:
    """Speeds of every intervention over those of the run without it, by network and rate.

    A speed is one over the time to the target, 0 where that is not reached. Ratios are taken seed by seed, from the
    same initial weights, and summarised by their median.

    Args:
        jobs: by network, the grid's records and those of the interventions.
        calm: exponent in nats per step below which a rate counts as calm.
        chaotic: above which it counts as chaotic.
        ends: for each data set the `targets`, early and late, and the `losses` at which rates switch.
    """
    names = xr.DataArray(np.array(list(jobs), dtype=object), dims="case", name="case")
    rows = [_case(parts, calm, chaotic, ends) for parts in jobs.values()]
    return xr.concat(rows, names, coords="minimal", compat="override", join="outer")


def _case(parts: Mapping[str, xr.Dataset], calm: float, chaotic: float, ends: Mapping[str, Any]) -> xr.Dataset:
    config = provenance_of(parts["sweep"])["config"]
    targets, (first, _) = ends[config["data"]]["targets"], ends[config["data"]]["losses"]
    low, high = rates_of(parts["sweep"], targets[0], calm, chaotic)
    renamed = {name: parts[name].rename(learning_rate="rate", arm=name).drop_vars("rate") for name in NAMES}
    renamed = {name: part.assign_coords({name: np.array(NAMES[name], dtype=object)}) for name, part in renamed.items()}
    start, stop = WINDOW
    stop = min(stop, int(parts["sweep"]["time"][-1]))
    grown = renamed["arms"]["grown"]
    exponent = (grown.sel(time=stop) - grown.sel(time=start)) / (stop - start)
    stages = [_stage(renamed, target, first) for target in targets]
    return xr.concat(stages, "stage", coords="minimal", compat="override").assign(
        exponent=stats.mean_interval(exponent, skipna=True),
        expanding=renamed["arms"]["expanding"].isel(time=slice(1, stop)).mean(("time", "seed")),
        loss=renamed["arms"]["loss"].median("seed"),
        rates=("rate", high),
        calm_rate=low,
        target=("stage", [float(target) for target in targets]),
        label=xr.DataArray(np.array(config["labels"][config["data"]], dtype=object)),
    )


def _stage(parts: Mapping[str, xr.Dataset], target: float, first: float) -> xr.Dataset:
    """The ratios of speeds to one target; `first`: the loss from which runs go on at another rate.

    `gain` is the chaotic run's speed over the calm one's with misses counted as the last step: at least so much.
    """
    speed = {name: speeds(part, target) for name, part in parts.items()}
    arms, orders = speed["arms"], parts["orders"]
    left = 1 / (times(orders, target) - times(orders, first)).clip(1).fillna(np.inf)
    pairs = {
        f"{name}_{beside}": _ratio(speed[name], arms.sel(arms=beside)) for name in NAMES for beside in NAMES["arms"][:2]
    }
    out = {
        f"control_{basis}": _ratio(arms.sel(arms="expanding: out"), arms.sel(arms=f"{basis}: out"))
        for basis in BASES[1:]
    }
    remaining = {
        "inside_calm": _ratio(left.sel(orders="chaotic, then calm"), left.sel(orders="calm")),
        "inside_chaotic": _ratio(left.sel(orders="chaotic"), left.sel(orders="calm, then chaotic")),
    }
    restricted = times(parts["arms"], target).clip(1, float(orders["time"][-1]))
    gain = (restricted.sel(arms="calm", drop=True) / restricted.sel(arms="chaotic", drop=True)).median("seed")
    return xr.Dataset({**pairs, **out, **remaining, "gain": gain})


def _ratio(ours: xr.DataArray, others: xr.DataArray) -> xr.DataArray:
    """The median over seeds of a speed over another of the same seed, with its interval: 0 for a miss, 1 for two."""
    pairs = (ours / others.reset_coords(drop=True)).where((ours > 0) | (others > 0), 1.0)
    return stats.bootstrap(lambda cells: cells.median("seed"), pairs.drop_vars("seed")).clip(0)


PREDICTIONS = (  # quantity, whether half of the speed-up is lost, gained, or states are better if chaos is the cause
    ("the expanding directions out: speed over the chaotic run's", "lost", "arms_chaotic", "expanding: out"),
    ("… over that with as many random directions out", "lost", "control_random", ""),
    (
        "the expanding directions at the calm rate: speed over the chaotic run's",
        "lost",
        "arms_chaotic",
        "expanding: calm",
    ),
    ("the expanding directions alone chaotic: speed over the calm run's", "gained", "arms_calm", NAMES["arms"][-3]),
    ("noise of equal size, any direction: speed over the calm run's", "gained", "noise_calm", NAMES["noise"][1]),
    ("noise in its leading directions: speed over the calm run's", "gained", "noise_calm", NAMES["noise"][2]),
    ("calm from a chaotic run's state: speed over that from a calm run's, same loss", "better", "inside_calm", ""),
    (
        "chaotic from a chaotic run's state: speed over that from a calm run's, same loss",
        "better",
        "inside_chaotic",
        "",
    ),
)

OTHERS = (  # what large steps without chaos predict as well
    ("the expanding directions out: speed over that with as many of the sharpest out", "control_sharpest", ""),
    ("the calm rate between the two losses: speed over the chaotic run's", "orders_chaotic", "chaos interrupted"),
    ("the chaotic rate between the two losses: speed over the calm run's", "orders_calm", "a burst of chaos"),
)


def _picked(row: xr.Dataset, variable: str, arm: str) -> xr.DataArray:
    return row[variable].sel({variable.split("_")[0]: arm}) if arm else row[variable]


def _judged(row: xr.Dataset) -> list[tuple[str, str, xr.DataArray, bool | None, str]]:
    """Of each prediction the quantity, what it is if chaos is the cause, what it was, whether that holds, and a note.

    Nothing is judged where the chaotic run is no faster than the calm one: there is no speed-up to explain.
    """
    half = float(row["gain"]) ** 0.5
    judged = []
    for quantity, kind, variable, arm in PREDICTIONS:
        ours = _picked(row, variable, arm)
        level = {"lost": 1 / half, "gained": half, "better": 1.0}[kind]
        holds = stats.below(ours, level) if kind == "lost" else stats.above(ours, level)
        said = f"if chaos is the cause: {'<' if kind == 'lost' else '>'} {level:.3g}"
        if half <= 1:
            holds, said = None, "no speed-up to explain"
        judged.append((quantity, said, ours, holds, "no speed-up" if half <= 1 else ""))
    return judged


def findings(summary: xr.Dataset, jobs: Mapping[str, Any]) -> list[Finding]:
    found, level = [], summary.attrs["chaotic"]
    for row in _rows(summary.isel(stage=0)):
        figure = f"{row['label'].item()}, η = {float(row['rates']):.3g}"
        gain = row["arms_calm"].sel(arms="chaotic")
        found.append(claim(figure, "speed over the calm run's", "> 1", gain, stats.above(gain, 1.0)))
        whole, out = (row["exponent"].sel(arms=name) for name in ("chaotic", "expanding: out"))
        found.append(beyond(figure, "λ", whole, "", "nats/step"))
        ends = stats.below(out, level)
        found.append(claim(figure, "λ with the expanding directions out", f"< {level:g}", out, ends, "", "nats/step"))
        found += [claim(figure, *judged) for judged in _judged(row)]
        found += [beyond(figure, name, _picked(row, *picked), "either account allows it") for name, *picked in OTHERS]
    return found


def _rows(summary: xr.Dataset) -> list[xr.Dataset]:
    """One dataset for each network and rate."""
    sizes = summary.sizes
    return [summary.isel(case=case, rate=rate) for case in range(sizes["case"]) for rate in range(sizes["rate"])]


def words(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Any]:
    table = []
    for row in _rows(summary):
        for name in NAMES["arms"]:
            arm = row.sel(arms=name)
            ratios = [arm[f"arms_{beside}"].isel(stage=k) for k in range(2) for beside in NAMES["arms"][:2]]
            shown = [stats.format_interval(each) for each in (arm["exponent"], *ratios)]
            table.append(
                [row["label"].item(), f"{float(row['rates']):.3g}", name, f"{float(arm['expanding']):.2g}", *shown]
            )
    header = (
        "network",
        "η",
        "update",
        "directions",
        "λ",
        "early: over chaotic",
        "over calm",
        "late: over chaotic",
        "over calm",
    )
    counts = [_counted(_rows(summary.isel(stage=k))) for k in range(2)]
    borne, against, whole, _ = np.sum(counts, axis=0)
    return {
        **summary.attrs,
        "table": markdown(header, table, "lll" + "r" * 6),
        "early": _count_in_words(*counts[0]),
        "late": _count_in_words(*counts[1]),
        "conclusion": _conclusion(borne, against, whole),
        "seeds": _each(summary, [job["sweep"].sizes["seed"] for job in jobs.values()]),
        "calm_rates": _each(summary, summary["calm_rate"].values),
        "targets": _each(summary, summary["target"].isel(stage=0).values),
        "late_targets": _each(summary, summary["target"].isel(stage=1).values),
        "from_step": WINDOW[0],
        "to_step": WINDOW[1],
        **_cost(jobs),
    }


def _counted(rows: Sequence[xr.Dataset]) -> tuple[int, int, int, int]:
    """How many predictions hold, are contradicted, and are judged; and at how many rates there is a speed-up."""
    judged = [each for row in rows for each in _judged(row)]
    says = [holds for *_, holds, note in judged if not note]
    return says.count(True), says.count(False), len(says), len(says) // len(PREDICTIONS)


def _count_in_words(borne: int, against: int, count: int, rates: int) -> str:
    return (
        f"of {count} predictions at the {rates} rates with a speed-up {borne} hold, {against} are contradicted by the "
        f"whole interval and {count - borne - against} are undecided"
    )


def _conclusion(borne: int, against: int, count: int) -> str:
    """In words, where more than half of the predictions speak with one voice and hardly any against it."""
    if against > count / 2 and borne <= count / 10:
        return (
            "So here chaos is the companion of the speed-up, not its cause. For a practitioner: a few directions, in "
            "which steps overshoot, limit the learning rate. Large steps help in all others; chaos in these few gains "
            "nothing."
        )
    if borne > count / 2 and against <= count / 10:
        return "So here chaos is the cause of the speed-up, and damping it costs speed."
    return "So whether chaos is the cause stays undecided here."


def _each(summary: xr.Dataset, values: Any) -> str:
    return ", ".join(f"{label}: {value:.3g}" for label, value in zip(summary["label"].values, values, strict=True))


def _cost(jobs: Mapping[str, Any]) -> dict[str, str]:
    """Steps and seconds of the interventions, which the line below the table leaves out."""
    known = [provenance_of(job[name]) for job in jobs.values() for name in NAMES]
    return {
        "cost": f"{sum(each['cost']['steps'] for each in known):.2g} steps in "
        f"{sum(each['wall_seconds'] + each['compile_seconds'] for each in known):.0f} s"
    }


report = Experiment(summarise, figures, findings, words)
