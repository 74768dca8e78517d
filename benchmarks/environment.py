"""The peers' own Python environment, `.venv-bench`, made on first use."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".venv-bench"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def bench_python() -> Path | None:
    """The Python that has PyTorch; None, with a line that says so, where PyTorch cannot be had."""
    python = FOLDER / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if _has_torch(python):
        return python
    print(f"making {FOLDER.name} for the PyTorch peers (once) ...", flush=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--retries", "1", "-r", str(REQUIREMENTS)]
    for command in ([sys.executable, "-m", "venv", str(FOLDER)], install):
        if subprocess.run(command).returncode:
            break
    if _has_torch(python):
        return python
    print(f"PyTorch could not be installed (benchmarks/{REQUIREMENTS.name}): its peers are left out", flush=True)
    return None


def _has_torch(python: Path) -> bool:
    test = [str(python), "-c", "import numpy, torch, lyapax, nolds"]
    return python.exists() and not subprocess.run(test, capture_output=True).returncode
