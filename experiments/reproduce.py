"""Run the experiments of the two studies and write docs/reproduction.md from what they stored (`make reproduce`).

An experiment that is finished is opened, one that was interrupted goes on; each takes a process of its own.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from experiments import _findings as findings
from experiments.jobs import CONF, names_in

ROOT = Path(__file__).parents[1]


class Entry(NamedTuple):
    """An experiment on the page: the heading of its study, its own title, and where it stands."""

    study: str
    title: str
    place: int


def entries() -> dict[str, Entry]:
    """The experiments whose yaml gives them a place on the page, by name and in the page's order."""
    found: dict[str, Entry] = {}
    base: Any = OmegaConf.load(CONF / "config.yaml")
    for name in names_in(CONF):
        config: Any = OmegaConf.load(CONF / f"experiment/{name}.yaml")
        if "page" in config:
            found[name] = Entry(base.studies[config.page.study], config.title, config.page.place)
    return dict(sorted(found.items(), key=lambda item: item[1].place))


def main() -> None:
    known = list(entries())
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help=f"experiments, separated by commas: {', '.join(known)}")
    parser.add_argument("--size", default="cpu", choices=("toy", "cpu", "paper"), help="which column of `sizes`")
    parser.add_argument("--jobs", type=Path, default=ROOT / "outputs/reproduce", help="where the jobs' folders are")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page is written")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or known
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"error: there is no experiment {unknown[0]!r}; choose from {', '.join(known)}")
    failed = []
    for place, name in enumerate(names, 1):
        folder = given.jobs.resolve() / given.size / name
        earlier = recorded(given.docs / "reproduction" / name)
        before = f"; {earlier['seconds']:.0f} s on {earlier['devices']}" if earlier["size"] == given.size else ""
        print(f"\n[{place}/{len(names)}] {name}, size {given.size}{before}", flush=True)
        try:
            done = subprocess.run(command(name, given.size, folder), cwd=ROOT)
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on from here")
        if done.returncode or not (folder / "findings.json").exists():
            failed.append(name)
            continue
        publish(folder, given.docs / "reproduction" / name)
        (given.docs / "reproduction.md").write_text(page(given.docs / "reproduction"))
    print(f"\nwritten: {given.docs / 'reproduction.md'}" if len(failed) < len(names) else "\nnothing was written")
    if failed:
        sys.exit(f"error: {', '.join(failed)} did not finish, for the reasons above; the others are on the page")


def command(name: str, size: str, folder: Path) -> list[str]:
    """One experiment as a run; its folder is that of the job or of the multirun."""
    place = [f"hydra.{kind}.dir='{folder}'" for kind in ("run", "sweep")]
    return [sys.executable, "-m", "experiments.run", f"experiment={name}", f"size={size}", "forecast=true", *place]


def recorded(folder: Path) -> dict[str, Any]:
    """The cost of an experiment on the page, if it is there."""
    path = folder / "findings.json"
    return json.loads(path.read_text())["cost"] if path.exists() else {"size": None}


def publish(job: Path, folder: Path) -> None:
    """Put a job's figures and findings in place of those that the page had."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (*sorted(job.glob("*.png")), job / "findings.json"):
        shutil.copy(path, folder)


def page(folder: Path) -> str:
    """The page as markdown, of all experiments that have been published."""
    listed = {name: entry for name, entry in entries().items() if (folder / name / "findings.json").exists()}
    records = {name: json.loads((folder / name / "findings.json").read_text()) for name in listed}
    lines = [
        "# Reproduction of the two studies",
        "",
        "Written by `make reproduce` from what the experiments stored; no number on it was typed, but those under "
        "*published*. Sizes: *paper* is the full protocol, *cpu* fits two cores; both stand in each experiment's yaml "
        "under `conf/experiment/`. Intervals are 95 %.",
        "",
        f"A published number is *reproduced* if our interval and the number ± {findings.READING:.0%} (how well a "
        f"printed figure can be read) share a point, *with a difference* if our mean is within {findings.NEAR:.0%}; a "
        "claim in words is if the whole interval bears it out. *Not comparable* says why: there is no published "
        "counterpart, or the interval does not decide.",
        "",
        *_overview(listed, records),
    ]
    for study in dict.fromkeys(entry.study for entry in listed.values()):
        lines += [f"## {study}", ""]
        for name, entry in listed.items():
            if entry.study == study:
                lines += _section(name, entry.title, records[name], sorted((folder / name).glob("*.png")))
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


def _section(name: str, title: str, record: dict[str, Any], figures: list[Path]) -> list[str]:
    cost = record["cost"]
    lines = [f'### <a id="{anchor(name)}"></a>{title}', ""]
    lines += [f"![{figure.stem}](reproduction/{name}/{figure.name})" for figure in figures]
    lines += ["", *([record["text"].strip(), ""] if record["text"] else [])]
    rows = []
    for finding in record["findings"]:
        note = f" ({finding['note']})" if finding["note"] else ""
        cells = [finding[key].replace("|", "\\|") for key in ("figure", "quantity", "published", "ours")]
        rows.append([*cells, finding["verdict"] + note])
    lines += [findings.markdown(("figure", "quantity", "published", "ours", "verdict"), rows, "llrrl")]
    lines += ["", f"`make reproduce ONLY={name} SIZE={cost['size']}`: {findings.cost_line(cost)}, {cost['date']}.", ""]
    return lines


if __name__ == "__main__":
    main()
