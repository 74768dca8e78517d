"""Is the fastest learning rate at the onset of chaos, and when? Networks by initialisation scale by target."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown
from experiments.questions import rule_of_thumb
from experiments.questions.fastest_at_onset_figures import figures
from experiments.questions.landmarks import answers, landmarks_of

GROUPS = {
    "all networks": {},
    "sigmoid and tanh": {"saturating": True},
    "ReLU and GELU": {"saturating": False},
    "one hidden layer": {"deep": False},
    "three hidden layers": {"deep": True},
    "cross-entropy": {"squared": False},
    "squared error": {"squared": True},
}
"""What cases are counted together: each is a condition on the factors of a network."""

ANSWERS = {
    "near": {1: "yes", 0: "no"},
    "near_roughly": {1: "yes", 0: "no"},
    "gain": {1: "yes", 0: "no", 2: "equal"},
    "chaotic": {1: "yes", 0: "no"},
}
"""What is asked of each case, and the answers; others are undecided."""

ASKED = {"near": "near η_c", "gain": "chaos gains", "chaotic": "λ above the level"}
"""What the table counts."""

ROUGHLY = 0.25
"""Training times that differ by less than this are roughly equal: the answer near η_c is given with this, too."""

SPREADS = {"ratio": "fastest η over η_c", "speed_up": "speed-up", "price": "training time at η_c over the least"}
"""Numbers that are summed up over cases."""


def summarise(
    datasets: Mapping[str, xr.Dataset],
    level: float,
    factor: float,
    shares: Sequence[float],
    least_window: int,
    learns: float,
    equal: float,
) -> xr.Dataset:
    """Answer for every network, initialisation scale and target, ``[network, init_scale, share]``.

    Args:
        level: exponent in nats per step above which a window counts as chaotic, the study's 0.05.
        factor: how far from η_c is near it.
        shares: training ends at these shares of the best test accuracy that any learning rate reaches in the mean.
        least_window: shortest window of an exponent, in steps.
        learns: a case counts if its best mean test accuracy is above this.
        equal: training times that differ by less than this, relatively, count as equal.

    Returns:
        What `landmarks_of` and `answers` return; `counts`, whether the case counts. And per rule of thumb its
        leave-one-out errors, see `rule_of_thumb.errors`.
    """
    names = list(datasets)
    rows = [_network(datasets[name], level, factor, shares, least_window) for name in names]
    index = xr.DataArray(np.array(names, dtype=object), dims="network", name="network")
    times = [row["mean_time"] for row in rows]
    summary = xr.concat([row.drop_dims("learning_rate") for row in rows], index, coords="minimal", compat="override")
    owns = [provenance_of(datasets[name])["config"]["own"] for name in names]
    for key, values in rule_of_thumb.factors(owns).items():
        summary = summary.assign_coords({key: ("network", values)})
    summary["counts"] = summary["best"] > learns
    summary["counts"] = summary["counts"].broadcast_like(summary["found"])
    summary = summary.merge(answers(summary, level, equal))
    summary["near_roughly"] = answers(summary, level, ROUGHLY)["near"]
    summary = summary.merge(rule_of_thumb.errors(summary, times))
    return summary.assign_attrs({"labels": [own["label"] for own in owns]})


def _network(
    dataset: xr.Dataset, level: float, factor: float, shares: Sequence[float], least_window: int
) -> xr.Dataset:
    """The landmarks of one network, ``[init_scale, share]``, and its `best` mean accuracy."""
    accuracy, growth = dataset["test_accuracy"], stats.first_exponent(dataset["growth"])
    best = accuracy.mean("seed", skipna=False).max(["learning_rate", "time"])
    threshold = best * xr.DataArray(list(shares), {"share": list(shares)}, "share")
    return landmarks_of(accuracy, growth, threshold, level, factor, least_window).assign(best=best)


def counted(summary: xr.Dataset, name: str, where: Mapping[str, bool] | None = None) -> dict[str, int]:
    """How many cases, of those that count and have an onset, give each answer."""
    answers = summary[name].where(chosen(summary, where))
    count = {word: int((answers == value).sum()) for value, word in ANSWERS[name].items()}
    return count | {"undecided": int(chosen(summary, where).sum()) - sum(count.values())}


def chosen(summary: xr.Dataset, where: Mapping[str, bool] | None = None) -> xr.DataArray:
    """The cases that count and have an onset, of the networks with those factors."""
    part = summary["counts"] & summary["found"]
    for key, value in (where or {}).items():
        part = part & (summary[key] == value)
    return part


def findings(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> list[Finding]:
    level, factor, equal = (summary.attrs[name] for name in ("level", "factor", "equal"))
    questions = {
        "near": f"an η within a factor {factor:g} of η_c is as fast as the fastest (to {equal:.0%})",
        "gain": "the best η from η_c on is faster than the best below",
        "chaotic": f"the fastest η has λ > {level:g}",
    }
    found = []
    for name, words in questions.items():
        for group, where in GROUPS.items():
            count = counted(summary, name, where)
            if sum(count.values()):
                ours = ", ".join(f"{word} in {number}" for word, number in count.items()) + " cases"
                against = sum(number for word, number in count.items() if word not in ("yes", "undecided"))
                holds = False if against else None if count["undecided"] else True
                found.append(claim("map", f"{words}: {group}", "yes", ours, holds))
    for name, words in SPREADS.items():
        found.append(beyond("map", f"{words}, median [range]", spread(summary, name)))
    found += [
        beyond(
            "rules", f"η* from {rule}: typical error", f"a factor {error}; {price} of the least time (median, worst)"
        )
        for rule, error, _, price in rule_of_thumb.rows(summary)
    ]
    return found


def spread(summary: xr.Dataset, name: str, where: Mapping[str, bool] | None = None) -> str:
    """Median and range of a number over the cases that have it."""
    values = stats.bounds(summary[name])[0].where(chosen(summary, where)).values
    known = values[np.isfinite(values)]
    return f"{np.median(known):.3g} [{known.min():.3g}, {known.max():.3g}]" if len(known) else "none"


def words(summary: xr.Dataset, datasets: Mapping[str, xr.Dataset]) -> dict[str, Any]:
    rows = []
    for group, where in GROUPS.items():
        cells = [" / ".join(map(str, counted(summary, name, where).values())) for name in ASKED]
        rows.append([group, *cells, *(spread(summary, name, where) for name in SPREADS)])
    asked = [f"{words}: {' / '.join([*ANSWERS[name].values(), 'undecided'])}" for name, words in ASKED.items()]
    header = ("cases", *asked, *SPREADS.values())
    gains = {group: counted(summary, "gain", where) for group, where in GROUPS.items() if where}
    told = [f"{group} {count['yes']} of {sum(count.values())}" for group, count in gains.items() if sum(count.values())]
    rule_header = ("η* from", "typical error (factor)", "within a factor 2", "time over the least: median, worst")
    total = max(1, int(chosen(summary).sum()))
    counts = {name: counted(summary, name) for name in ANSWERS}
    said: dict[str, Any] = {
        f"{name}_{word}": number for name, count in counts.items() for word, number in count.items()
    }
    roughly = counted(summary, "near_roughly").values()
    said["roughly"] = ", ".join(
        f"{word} in {number}" for word, number in zip(("yes", "no", "undecided"), roughly, strict=True)
    )
    said |= {f"{name}_open": f"{count['undecided'] / total:.0%}" for name, count in counts.items()}
    seeds = sorted({dataset.sizes["seed"] for dataset in datasets.values()})
    return {
        **summary.attrs,
        **said,
        **{name: spread(summary, name) for name in SPREADS},
        "table": markdown(header, rows, "l" * len(header)),
        "rules": markdown(rule_header, rule_of_thumb.rows(summary), "lrrr"),
        "cases": total,
        "left": int((~summary["counts"]).sum()),
        "no_onset": int((summary["counts"] & ~summary["found"]).sum()),
        "seeds": " or ".join(map(str, seeds)),
        "networks": summary.sizes["network"],
        "scales": ", ".join(f"{scale:g}" for scale in summary["init_scale"].values),
        "shares_in_words": ", ".join(f"{share:.0%}" for share in summary["share"].values),
        "roughly_equal": f"{ROUGHLY:.0%}",
        "equal_in_words": f"{summary.attrs['equal']:.0%}",
        "gains": ", ".join(told),
        "verdict": rule_of_thumb.verdict(summary),
    }


report = Experiment(summarise, figures, findings, words)
