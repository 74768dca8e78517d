"""Runs the Python of one page from top to bottom in one process: `python docs/website/run_page.py PAGE FOLDER`.

Writes outputs.json into the folder, ``[{"text": what a block printed, "figures": [names of PNG files]}, …]``. As in a
notebook, a block whose last line is a figure or another value shows it.
"""

import ast
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[str]:
    return BLOCK.findall(page)


def main(page: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, Any] = {"__name__": "__main__"}
    outputs = []
    for number, block in enumerate(blocks(page.read_text()), start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            shown = run(block, names)
            drawn = [plt.figure(number) for number in plt.get_fignums()]
            if isinstance(shown, Figure) and shown not in drawn:
                drawn.append(shown)
            elif shown is not None and " at 0x" not in repr(shown):
                print(repr(shown))
        files = [f"{page.stem}-{number}-{place}.png" for place in range(1, len(drawn) + 1)]
        for figure, file in zip(drawn, files, strict=True):
            figure.savefig(folder / file, dpi=110)
        plt.close("all")
        outputs.append({"text": printed.getvalue().rstrip(), "figures": files})
    (folder / "outputs.json").write_text(json.dumps(outputs))


def run(block: str, names: dict[str, Any]) -> Any:
    """The value of a block's last expression, or None."""
    tree = ast.parse(block)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "page", "exec"), names)
    return eval(compile(ast.Expression(last.value), "page", "eval"), names) if last else None


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
