"""Runs the tutorials while the site is built, and puts below each block what it printed and drew.

A page runs in a process of its own. Its outputs are kept in build/tutorials and made again when the page or the
package has changed. A page that fails, fails the build.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from run_page import BLOCK  # isort: skip

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build/tutorials"
log = logging.getLogger("mkdocs.hooks.tutorials")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for file in list(files.documentation_pages()):
        if file.src_uri.startswith("tutorials/") and BLOCK.search(file.content_string):
            for picture in sorted(outputs_of(file).glob("*.png")):
                files.append(File.generated(config, f"tutorials/{picture.name}", content=picture.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if not page.file.src_uri.startswith("tutorials/") or not BLOCK.search(markdown):
        return markdown
    path = outputs_of(page.file) / "outputs.json"
    outputs = iter(json.loads(path.read_text()) if path.exists() else [])

    def with_output(found) -> str:
        output = next(outputs, {"text": "", "figures": []})
        text = f"\n\n```{{ .text .output }}\n{output['text']}\n```" if output["text"] else ""
        return found[0] + text + "".join(f"\n\n![What the code above draws]({name})" for name in output["figures"])

    return BLOCK.sub(with_output, markdown)


@cache
def sources() -> str:
    """All that the package and the runner of pages consist of, as one build sees it."""
    return "".join(
        path.read_text() for path in sorted((*(ROOT / "chaosjax").rglob("*.py"), ROOT / "docs/website/run_page.py"))
    )


def outputs_of(file: File) -> Path:
    """The folder of a page's outputs, which are made if there are none of this page and this package."""
    text = file.content_string + sources()
    folder = KEPT / f"{Path(file.src_uri).stem}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if not (folder / "outputs.json").exists():
        log.info("runs %s", file.src_uri)
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-W", "error", ROOT / "docs/website/run_page.py", file.abs_src_path, folder]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "CHAOSJAX_CACHE": str(KEPT / "cache")}  # nobody else's
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            log.warning("%s fails: %s", file.src_uri, done.stderr[-2000:])
    return folder
