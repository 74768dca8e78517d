"""Each side of a benchmark runs in its own process and answers one task at a time over pipes.

So no side's threads, devices or allocator touch another's, and repeats can alternate between sides.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol


class Ask(Protocol):
    """Have a task done, and get its answer as plain values."""

    def __call__(self, task: str, **options: Any) -> Any: ...


@contextmanager
def worker(script: str, python: str | Path = sys.executable) -> Iterator[Ask]:
    """Start a script of this folder that ends in `serve`.

    Raises:
        RuntimeError: when asked, if the process has ended; its own error is on standard error.
    """
    # A GPU is shared by all sides: none may take its memory in advance.
    environment = {**os.environ, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    process = subprocess.Popen(
        [str(python), str(Path(__file__).with_name(script))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    questions, answers = process.stdin, process.stdout

    def ask(task: str, **options: Any) -> Any:
        try:
            questions.write(json.dumps([task, options]) + "\n")
            questions.flush()
            answer = answers.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{script} ended during '{task}'; its own error stands above")
        return json.loads(answer)

    try:
        yield ask
    finally:
        process.kill()
        process.communicate()


def serve(*tasks: Callable[..., Any], **named: Callable[..., Any]) -> None:
    """Answer tasks from standard input until it closes: functions by their own name, or by the one they are given."""
    known = {task.__name__: task for task in tasks} | named
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        task, options = json.loads(line)
        answers.write(json.dumps(known[task](**options)) + "\n")
        answers.flush()
