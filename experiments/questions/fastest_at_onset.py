"""Is the fastest learning rate at the onset of chaos, and when? Networks by initialisation scale by target."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from chaosjax import provenance_of, stats
from experiments import Experiment, Finding, beyond, claim, markdown
from experiments.questions import rule_of_thumb
from experiments.questions.contrasts import SPANS, compared
from experiments.questions.fastest_at_onset_figures import figures
from experiments.questions.landmarks import answers
from experiments.questions.second_look import cases_of, cost_of, seeds_of, stores_of

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
    "chaotic": {1: "yes", 0: "no", 2: "at the level"},
}
"""What is asked of each case, and the answers; others are undecided."""

ASKED = {"near": "near η_c", "gain": "chaos gains", "chaotic": "λ above the level"}
"""What the table counts."""

ROUGHLY = 0.25
"""Training times that differ by less than this are roughly equal: the answer near η_c is given with this, too."""

SPREADS = {"ratio": "fastest η over η_c", "speed_up": "speed-up", "price": "training time at η_c over the least"}
"""Numbers that are summed up over cases."""


CONTRASTS = {
    "5 hidden units against 10 (Iris)": ("iris_narrow", "iris_sigmoid"),
    "20 against 10": ("iris_20", "iris_sigmoid"),
    "40 against 10": ("iris_wide", "iris_sigmoid"),
    "8 hidden units against 32 (digits)": ("digits_narrow", "digits_tanh"),
    "64 against 32": ("digits_wide", "digits_tanh"),
    "three hidden layers against one (Iris, tanh)": ("iris_deep", "iris_tanh"),
    "three against one (digits, tanh)": ("digits_deep", "digits_tanh"),
    "three against one (digits, ReLU)": ("digits_deep_relu", "digits_relu"),
    "30 samples against 120 (Iris)": ("iris_few", "iris_sigmoid"),
    "50 samples against 200 (digits)": ("digits_few", "digits_tanh"),
    "500 against 200": ("digits_many", "digits_tanh"),
}
"""What is compared, all else equal: a network and another."""


def summarise(
    jobs: Mapping[str, xr.Dataset | Mapping[str, xr.Dataset]],
    level: float,
    factor: float,
    shares: Sequence[float],
    least_window: int,
    learns: float,
    equal: float,
) -> xr.Dataset:
    """Answer for every network, initialisation scale and target, ``[network, init_scale, share]``.

    Args:
        jobs: by network its records, and those of `second_look.sweeps` beside them.
        level, factor, shares, least_window, learns, equal: of `second_look.first_look`.

    Returns:
        What `second_look.cases_of` returns, but nothing per learning rate. Per rule of thumb its leave-one-out errors,
        see `rule_of_thumb.errors`.
    """
    settings = {"level": level, "factor": factor, "shares": shares, "least_window": least_window}
    configs = {name: provenance_of(stores_of(parts)["sweep"])["config"] for name, parts in jobs.items()}
    names = [name for name in next(iter(configs.values()))["networks"] if name in configs]  # as the yaml lists them
    rows = [cases_of(jobs[name], **settings, learns=learns, equal=equal) for name in names]
    index = xr.DataArray(np.array(names, dtype=object), dims="network", name="network")
    times = [row["mean_time"] for row in rows]
    summary = xr.concat([row.drop_dims("learning_rate") for row in rows], index, coords="minimal", compat="override")
    owns = [configs[name]["own"] for name in names]
    for key, values in rule_of_thumb.factors(owns).items():
        summary = summary.assign_coords({key: ("network", values)})
    summary["near_roughly"] = answers(summary, level, ROUGHLY, factor)["near"]
    summary = summary.merge(rule_of_thumb.errors(summary, times))
    widths = [own["widths"][0] for own in owns]
    return summary.assign_coords(width=("network", widths)).assign_attrs({"labels": [own["label"] for own in owns]})


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


def contrasts(summary: xr.Dataset) -> dict[str, dict[str, xr.DataArray]]:
    """Per change of `CONTRASTS` what `compared` says over initialisation scales and targets."""
    known = [str(name) for name in summary["network"].values]
    shared = {words: pair for words, pair in CONTRASTS.items() if all(name in known for name in pair)}
    return {
        words: compared([(summary.isel(network=known.index(new)), summary.isel(network=known.index(old)))])
        for words, (new, old) in shared.items()
    }


def findings(summary: xr.Dataset, jobs: Mapping[str, Any]) -> list[Finding]:
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
                against = count["no"] + count.get("equal", 0)
                holds = False if against else True if count["yes"] == sum(count.values()) else None
                found.append(claim("map", f"{words}: {group}", "yes", ours, holds))
    for name, words in SPREADS.items():
        found.append(beyond("map", f"{words}, median [range]", spread(summary, name)))
    for words, row in contrasts(summary).items():
        ours = "; ".join(f"{label} × {stats.format_interval(row[name])}" for name, label in SPANS.items())
        found.append(beyond("map", words, ours))
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


def words(summary: xr.Dataset, jobs: Mapping[str, Any]) -> dict[str, Any]:
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
        f"{name}_{word}".replace(" ", "_"): number for name, count in counts.items() for word, number in count.items()
    }
    roughly = counted(summary, "near_roughly").values()
    said["roughly"] = ", ".join(
        f"{word} in {number}" for word, number in zip(("yes", "no", "undecided"), roughly, strict=True)
    )
    said |= {f"{name}_open": f"{count['undecided'] / total:.0%}" for name, count in counts.items()}
    seeds = sorted({seeds_of(job) for job in jobs.values()}, reverse=True)
    gradients, seconds = cost_of(jobs)
    changes = [[name, *(stats.format_interval(row[key]) for key in SPANS)] for name, row in contrasts(summary).items()]
    return {
        **summary.attrs,
        **said,
        **{name: spread(summary, name) for name in SPREADS},
        "table": markdown(header, rows, "l" * len(header)),
        "rules": markdown(rule_header, rule_of_thumb.rows(summary), "lrrr"),
        "cases": total,
        "left": int((~summary["counts"]).sum()),
        "no_onset": int((summary["counts"] & ~summary["found"]).sum()),
        "seeds": " or ".join(dict.fromkeys(str(first) for first, _ in seeds)),
        "more_seeds": " or ".join(str(more) for first, more in seeds if more > first),
        "again": int((summary["again"] & chosen(summary)).sum()),
        "more_cost": f"{gradients:.2g} gradient evaluations in {seconds:.0f} s",
        "changes": markdown(("changed, all else equal", *SPANS.values()), changes, "llll"),
        "networks": summary.sizes["network"],
        "scales": ", ".join(f"{scale:g}" for scale in summary["init_scale"].values),
        "shares_in_words": ", ".join(f"{share:.0%}" for share in summary["share"].values),
        "roughly_equal": f"{ROUGHLY:.0%}",
        "equal_in_words": f"{summary.attrs['equal']:.0%}",
        "gains": ", ".join(told),
        "verdict": rule_of_thumb.verdict(summary),
    }


report = Experiment(summarise, figures, findings, words)
