"""Run the experiments of a page of docs/, and write it from what they stored: `make reproduce`, `make curvature`.

An experiment that is finished is opened, one that was interrupted goes on; each takes a process of its own.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments._page import PAGES, entries, markdown_of

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--page", default="reproduction", choices=PAGES, help="the page, by its file in docs/")
    listed = "; ".join(f"{page}: {', '.join(entries(page))}" for page in PAGES)
    parser.add_argument("--only", default="", help=f"experiments of the page, separated by commas. {listed}")
    parser.add_argument("--rewrite", action="store_true", help="run nothing: the page anew from what is published")
    parser.add_argument("--size", default="cpu", choices=("toy", "cpu", "paper"), help="which column of `sizes`")
    parser.add_argument("--jobs", type=Path, default=ROOT / "outputs/reproduce", help="where the jobs' folders are")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where the page is written")
    given = parser.parse_args()
    known, target = list(entries(given.page)), given.docs / f"{given.page}.md"
    published = given.docs / given.page
    names = [name for name in given.only.split(",") if name] or known
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"error: there is no experiment {unknown[0]!r}; choose from {', '.join(known)}")
    failed = []
    if given.rewrite:
        names = []
        target.write_text(markdown_of(given.page, published))
    for place, name in enumerate(names, 1):
        folder = given.jobs.resolve() / given.size / name
        earlier = recorded(published / name)
        before = f"; {earlier['seconds']:.0f} s on {earlier['devices']}" if earlier["size"] == given.size else ""
        print(f"\n[{place}/{len(names)}] {name}, size {given.size}{before}", flush=True)
        try:
            done = subprocess.run(command(name, given.size, folder), cwd=ROOT)
        except KeyboardInterrupt:
            sys.exit("stopped; the same command goes on from here")
        if done.returncode or not (folder / "findings.json").exists():
            failed.append(name)
            continue
        publish(folder, published / name)
        target.write_text(markdown_of(given.page, published))
    print(f"\nwritten: {target}" if given.rewrite or len(failed) < len(names) else "\nnothing was written")
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


if __name__ == "__main__":
    main()
