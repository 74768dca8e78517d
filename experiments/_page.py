"""The pages of docs/ that are written from what experiments stored."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from experiments import _findings as findings
from experiments.jobs import CONF, names_in


class Page(NamedTuple):
    """A generated page.

    Attributes:
        title: its first line.
        target: what writes it, ``make TARGET``.
        sections: the headings under which its experiments stand: keys of `studies` in conf/config.yaml.
        lead: what stands between the target and the words that all pages share.
        verdicts: what the verdicts mean.
    """

    title: str
    target: str
    sections: tuple[str, ...]
    lead: str
    verdicts: str


PAGES = {
    "reproduction": Page(
        "Reproduction of the two studies",
        "reproduce",
        ("danovski", "jimenez"),
        "Sizes: *paper* is the full protocol, *cpu* fits two cores; both stand in each experiment's yaml under "
        "`conf/experiment/`. Seconds are those on the wall of a run of the experiment; other jobs shared the "
        "machine with some, whose seconds are then many times those of a run alone.",
        f"A published number is *reproduced* if our interval and the number ± {findings.READING:.0%} (how well a "
        f"printed figure can be read) share a point, *with a difference* if our mean is within {findings.NEAR:.0%}; a "
        "claim in words is if the whole interval bears it out. *Not comparable* says why: there is no published "
        "counterpart, or the interval does not decide.",
    ),
    "curvature_experiments": Page(
        "Experiments on curvature",
        "curvature",
        ("curvature",),
        "Sizes: *cpu* fits two cores, *paper* is the published setting or the largest one; both stand in each "
        "experiment's yaml under `conf/experiment/curvature/`.",
        "A published claim is *reproduced* if the whole interval bears it out, *with a difference* where the note says "
        "what differs. *Not comparable* says why: there is no published counterpart, or the interval does not decide. "
        "What the instruments measure, and how, is told in [curvature.md](curvature.md).",
    ),
    "learning_rate": Page(
        "Which learning rate?",
        "learning-rate",
        ("learning_rate",),
        "Sizes: *cpu* fits two cores, *paper* is the same; both stand in `conf/experiment/learning_rate/`.",
        "An aim is *reproduced* if it is met. How to use the search is told in the "
        "[guide](guide.md#which-learning-rate).",
    ),
    "questions": Page(
        "Open questions",
        "questions",
        ("questions",),
        "What the two studies leave open. Sizes: *cpu* fits two cores, *paper* is larger; both stand in each "
        "experiment's yaml under `conf/experiment/questions/`. Of what the exponent consists (sharpness, negative "
        "curvature, turning) is answered beside the other experiments on curvature, under [negative curvature or "
        "sharpness?](curvature_experiments.md#curvature_expansion).",
        "A claim is *reproduced* if the whole interval bears it out, *not reproduced* if the whole interval speaks "
        "against it. *Not comparable* says why: nobody has published a counterpart, or the interval does not decide.",
    ),
}
"""The pages by the name of their file."""


class Entry(NamedTuple):
    """An experiment on a page: the heading it stands under, its own title, and where it stands."""

    study: str
    title: str
    place: int


def entries(page: str) -> dict[str, Entry]:
    """The experiments whose yaml gives them a place on that page, by name and in the page's order."""
    found: dict[str, Entry] = {}
    base: Any = OmegaConf.load(CONF / "config.yaml")
    for name in names_in(CONF):
        config: Any = OmegaConf.load(CONF / f"experiment/{name}.yaml")
        if "page" in config and config.page.study in PAGES[page].sections:
            found[name] = Entry(base.studies[config.page.study], config.title, config.page.place)
    return dict(sorted(found.items(), key=lambda item: item[1].place))


def markdown_of(page: str, folder: Path) -> str:
    """A page as markdown, of all experiments that have been published into the folder of its name."""
    listed = {name: entry for name, entry in entries(page).items() if (folder / name / "findings.json").exists()}
    records = {name: json.loads((folder / name / "findings.json").read_text()) for name in listed}
    title, target, _, lead, verdicts = PAGES[page]
    lines = [
        f"# {title}",
        "",
        f"Written by `make {target}` from what the experiments stored; no number on it was typed, but those under "
        f"*published*. {lead} Intervals are 95 %.",
        "",
        verdicts,
        "",
        *_overview(listed, records),
    ]
    for study in dict.fromkeys(entry.study for entry in listed.values()):
        lines += [f"## {study}", ""]
        for name, entry in listed.items():
            if entry.study == study:
                lines += _section(target, folder / name, name, entry.title, records[name])
    return "\n".join(lines).rstrip() + "\n"


def _overview(listed: dict[str, Entry], records: dict[str, Any]) -> list[str]:
    header = ("experiment", "size", *findings.VERDICTS, "beyond it", "seconds", "gradient evaluations", "memory")
    rows = []
    for name, record in records.items():
        cost = record["cost"]
        verdicts = [finding["verdict"] for finding in record["findings"] if finding["published"] != findings.NOTHING]
        counts = [str(verdicts.count(verdict) or "") for verdict in findings.VERDICTS]
        counts.append(str(len(record["findings"]) - len(verdicts) or ""))
        seconds = f"{cost['seconds'] + cost['compile_seconds']:.0f}"
        memory = f"{cost['peak_bytes'] / 2**30:.1f} GiB"
        title = f"[{listed[name].title}](#{anchor(name)})"
        rows.append([title, cost["size"], *counts, seconds, f"{cost['gradients']:.2g}", memory])
    return [findings.markdown(header, rows, "ll" + "r" * (len(header) - 2)), ""]


def anchor(name: str) -> str:
    """What links to an experiment's section lead to."""
    return name.replace("/", "_")


def _section(target: str, folder: Path, name: str, title: str, record: dict[str, Any]) -> list[str]:
    cost, top = record["cost"], folder.parents[name.count("/")].name
    lines = [f'### <a id="{anchor(name)}"></a>{title}', ""]
    lines += [f"![{path.stem}]({top}/{name}/{path.name})" for path in sorted(folder.glob("*.png"))]
    lines += ["", *([record["text"].strip(), ""] if record["text"] else [])]
    rows = []
    for finding in record["findings"]:
        note = f" ({finding['note']})" if finding["note"] else ""
        cells = [finding[key].replace("|", "\\|") for key in ("figure", "quantity", "published", "ours")]
        rows.append([*cells, finding["verdict"] + note])
    lines += [findings.markdown(("figure", "quantity", "published", "ours", "verdict"), rows, "llrrl")]
    lines += ["", f"`make {target} ONLY={name} SIZE={cost['size']}`: {findings.cost_line(cost)}, {cost['date']}.", ""]
    return lines
