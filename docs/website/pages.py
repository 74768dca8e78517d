"""The pages of the site: those of docs/, the README in front, and the navigation over whatever there is."""

import os
import re
from pathlib import Path, PurePosixPath
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from names import linked

ROOT = Path(__file__).parents[2]
OUTSIDE = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md"}
"""Pages whose text lies above docs/."""

SECTIONS: dict[str, list[str]] = {
    "Start": ["index.md"],
    "Tutorials": ["tutorials/*.md"],
    "Guide": ["guide.md", "recipes_optimizers.md", "glossary.md", "coming_from/*.md"],
    "Instruments": ["instruments.md", "curvature.md"],
    "Gallery": ["examples/README.md", "explorer.md"],
    "API": ["api/chaosjax.md", "api/*.md"],
    "Evidence": [
        "validation.md",
        "reproduction.md",
        "questions.md",
        "curvature_experiments.md",
        "learning_rate.md",
        "benchmarks.md",
        "growth.md",
        "scaling.md",
    ],
    "Project": ["contributing.md", "dependencies.md"],
}
"""The tabs, each a list of patterns in its order."""

FALLBACK = "Guide"
"""The tab of a page that no pattern names."""

TUTORIALS = ["index", *re.findall(r"\((\w+)\.md\)", (ROOT / "docs/tutorials/index.md").read_text())]
"""The tutorials in the order in which their own page lists them."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, source in OUTSIDE.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text()))
    for asset in sorted((ROOT / "docs/website/assets").iterdir()):
        files.append(File.generated(config, f"assets/{asset.name}", content=asset.read_bytes()))
    config.nav = navigation([file.src_uri for file in files.documentation_pages()])
    return files


def navigation(pages: list[str]) -> list[dict[str, Any]]:
    """Each page there is under its tab, once."""
    left, tabs = sorted(pages, key=order), {}
    for tab, patterns in SECTIONS.items():
        tabs[tab] = []
        for pattern in patterns:
            found = _matching(left, pattern)
            tabs[tab] += found
            left = [page for page in left if page not in found]
    tabs[FALLBACK] += left
    return [{tab: found[0] if len(found) == 1 else found} for tab, found in tabs.items() if found]


def _matching(pages: list[str], pattern: str) -> list[str]:
    return [page for page in pages if PurePosixPath(page).match(pattern) and page.count("/") == pattern.count("/")]


def order(page: str) -> tuple[int, str]:
    name = PurePosixPath(page).stem
    return (TUTORIALS.index(name) if page.startswith("tutorials/") and name in TUTORIALS else len(TUTORIALS), page)


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    source = OUTSIDE.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    if page.file.src_uri.startswith("api/"):
        return linked(markdown)

    def led(match: re.Match[str]) -> str:
        target, _, anchor = match["target"].partition("#")
        if not target or ":" in match["target"]:
            return match[0]
        there = os.path.normpath(PurePosixPath(source).parent / target)
        inside = next((name for name, outside in OUTSIDE.items() if outside == there), None)
        if inside is None and there.startswith("docs/"):
            inside = there.removeprefix("docs/")
        if inside is None:
            return match["text"]  # a file of the repository, which the site does not hold
        path = os.path.relpath(inside, PurePosixPath(page.file.src_uri).parent)
        return f"{match['mark']}[{match['text']}]({path}{'#' + anchor if anchor else ''})"

    link = re.compile(r"(?P<mark>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
    return linked(link.sub(led, markdown))
