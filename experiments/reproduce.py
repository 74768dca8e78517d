"""Runs the studies of the two papers and writes docs/reproduction.md from what they stored (`make reproduce`).

A study that is finished is opened, one that was interrupted goes on; each takes a process of its own.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import findings

ROOT = Path(__file__).parents[1]

DANOVSKI = "Danovski, Soriano, Lacasa 2024: Iris"
JIMENEZ = "Jiménez-González, Soriano, Lacasa 2026: MNIST and beyond"

STUDIES = {
    "danovski_fig3_4": DANOVSKI,
    "danovski_fig5": DANOVSKI,
    "danovski_fig6": DANOVSKI,
    "danovski_fig7": DANOVSKI,
    "danovski_fig8": DANOVSKI,
    "danovski_rates": DANOVSKI,
    "danovski_l2": DANOVSKI,
    "danovski_fig9_12": DANOVSKI,
    "danovski_fig11": DANOVSKI,
    "danovski_phases": DANOVSKI,
    "danovski_s2": DANOVSKI,
    "jimenez_mnist": JIMENEZ,
    "robustness": JIMENEZ,
}
"""The studies by the paper they belong to, in the order of the page; each is a conf/experiment/NAME.yaml."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help=f"studies, separated by commas: {', '.join(STUDIES)}")
    parser.add_argument("--size", default="cpu", choices=("toy", "cpu", "paper"), help="which column of `sizes`")
    parser.add_argument("--jobs", type=Path, default=ROOT / "outputs/reproduce", help="where the jobs' folders are")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page is written")
    given = parser.parse_args()
    names = [name for name in given.only.split(",") if name] or list(STUDIES)
    unknown = [name for name in names if name not in STUDIES]
    if unknown:
        sys.exit(f"error: there is no study {unknown[0]!r}; choose from {', '.join(STUDIES)}")
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
        if done.returncode:
            failed.append(name)
            continue
        publish(folder, given.docs / "reproduction" / name)
        (given.docs / "reproduction.md").write_text(page(given.docs / "reproduction"))
    print(f"\nwritten: {given.docs / 'reproduction.md'}" if len(failed) < len(names) else "\nnothing was written")
    if failed:
        sys.exit(f"error: {', '.join(failed)} did not finish, for the reasons above; the others are on the page")


def command(name: str, size: str, folder: Path) -> list[str]:
    """One study as a job of run.py; its folder is that of the run or of the multirun."""
    place = [f"hydra.{kind}.dir='{folder}'" for kind in ("run", "sweep")]
    script = str(ROOT / "experiments/run.py")
    return [sys.executable, script, f"experiment={name}", f"size={size}", "forecast=true", *place]


def recorded(folder: Path) -> dict[str, Any]:
    """The cost of a study on the page, if it is there."""
    path = folder / "findings.json"
    return json.loads(path.read_text())["cost"] if path.exists() else {"size": None}


def publish(job: Path, folder: Path) -> None:
    """A job's figures and findings in place of those that the page had."""
    if not (job / "findings.json").exists():
        sys.exit(f"error: {job} holds no findings.json: its report failed, see above")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in (*sorted(job.glob("*.png")), job / "findings.json"):
        shutil.copy(path, folder)


def page(folder: Path) -> str:
    """The page as markdown, of all studies that have been published."""
    records = {
        name: json.loads((folder / name / "findings.json").read_text())
        for name in STUDIES
        if (folder / name / "findings.json").exists()
    }
    lines = [
        "# Reproduction of the two studies",
        "",
        "Written by `make reproduce` from what the studies stored; no number on it was typed, but those under "
        "*published*. Sizes: *paper* is the full protocol, *cpu* fits two cores; both stand in each study's yaml under "
        "`conf/experiment/`. Intervals are 95 %.",
        "",
        f"A published number is *reproduced* if our interval and the number ± {findings.READING:.0%} (how well a "
        f"printed figure can be read) share a point, *with a difference* if our mean is within {findings.NEAR:.0%}; a "
        "claim in words is if the whole interval bears it out. *Not comparable* says why: there is no published "
        "counterpart, or the interval does not decide.",
        "",
        *_overview(records),
    ]
    for paper in dict.fromkeys(STUDIES.values()):
        chosen = {name: record for name, record in records.items() if STUDIES[name] == paper}
        if chosen:
            lines += [f"## {paper}", ""]
        for name, record in chosen.items():
            lines += _section(name, record, sorted((folder / name).glob("*.png")))
    return "\n".join(lines).rstrip() + "\n"


def _overview(records: dict[str, Any]) -> list[str]:
    header = ("study", "size", *findings.VERDICTS, "beyond it", "seconds", "gradient evaluations", "memory")
    lines = ["| " + " | ".join(header) + " |", "| --- | --- |" + " ---: |" * (len(header) - 2)]
    for name, record in records.items():
        cost = record["cost"]
        verdicts = [finding["verdict"] for finding in record["findings"] if finding["published"] != findings.NOTHING]
        counts = [str(verdicts.count(verdict) or "") for verdict in findings.VERDICTS]
        counts.append(str(len(record["findings"]) - len(verdicts) or ""))
        seconds = f"{cost['seconds'] + cost['compile_seconds']:.0f}"
        memory = f"{cost['peak_bytes'] / 2**30:.1f} GiB"
        title = f"[{cost['title']}](#{name})"
        cells = (title, cost["size"], *counts, seconds, f"{cost['gradients']:.2g}", memory)
        lines.append("| " + " | ".join(cells) + " |")
    return [*lines, ""]


def _section(name: str, record: dict[str, Any], figures: list[Path]) -> list[str]:
    cost = record["cost"]
    lines = [f'### <a id="{name}"></a>{cost["title"]}', ""]
    lines += [f"![{figure.stem}](reproduction/{name}/{figure.name})" for figure in figures]
    lines += ["", *([record["text"].strip(), ""] if record["text"] else [])]
    lines += ["| figure | quantity | published | ours | verdict |", "| --- | --- | ---: | ---: | --- |"]
    for finding in record["findings"]:
        note = f" ({finding['note']})" if finding["note"] else ""
        cells = [finding[key].replace("|", "\\|") for key in ("figure", "quantity", "published", "ours")]
        lines.append("| " + " | ".join((*cells, finding["verdict"] + note)) + " |")
    lines += ["", f"`make reproduce ONLY={name} SIZE={cost['size']}`: {findings.cost_line(cost)}, {cost['date']}.", ""]
    return lines


if __name__ == "__main__":
    main()
