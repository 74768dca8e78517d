"""Data of your own, from a table of text."""

import csv as text
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chaosjax.datasets._arrays import arrays
from chaosjax.datasets._dataset import Dataset

MISSING = ("", "na", "nan", "null", "none", "?")
"""Cells, in lower case, that stand for a missing value."""


def csv(
    path: str | os.PathLike[str],
    target: str | int | Sequence[str | int],
    test: float = 0.2,
    *,
    inputs: Sequence[str | int] | None = None,
    delimiter: str = ",",
    name: str | None = None,
    kind: str | None = None,
    scaling: str = "raw",
    seed: int = 0,
) -> Dataset:
    """Read a Dataset from a CSV file with one sample per line; a first line without any number holds the names.

    Whether the targets are classes or numbers, and how the test set is drawn, is said in `arrays`.

    Args:
        target: the column of the targets, by its name or its place (0 the first, -1 the last), or several, which then
            hold numbers.
        test: the part of the samples held out, between 0 and 1, or their number.
        inputs: the columns of the inputs; None takes all others.
        delimiter: between cells.
        name: of the set; None takes the file's.
        kind: "classes" or "numbers"; None decides by the values of the target.
        scaling: of the inputs: "raw", "unit" or "standardised".
        seed: of the split.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a missing value or a line of another length (with its number in the file), an unknown column, or
            a column of inputs that holds text.
    """
    path = Path(path).expanduser()
    header, lines = _read(path, delimiter)
    names = header or [str(place) for place in range(len(lines[0][1]))]
    several = not isinstance(target, str | int)
    chosen = [_place(path, "target", column, names, header) for column in (target if several else [target])]
    others = [_place(path, "inputs", column, names, header) for column in inputs or ()]
    others = others or [place for place in range(len(names)) if place not in chosen]
    table = [_column(path, names[place], place, lines, place in others) for place in (*others, *chosen)]
    targets = [_typed(column) for column in table[len(others) :]]
    columns = {"inputs": [names[place] for place in others], "target": [names[place] for place in chosen]}
    return arrays(
        np.array(table[: len(others)], float).T,
        np.stack(targets, axis=1) if several else targets[0],
        test,
        name=path.stem if name is None else name,
        kind=kind,
        scaling=scaling,
        seed=seed,
        attrs={"source": "csv", **columns},
    )


Line = tuple[int, list[str]]
"""Its number in the file, and its cells."""


def _read(path: Path, delimiter: str) -> tuple[list[str] | None, list[Line]]:
    """The line of names, if there is one, and the others."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = text.reader(file, delimiter=delimiter)
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if cells]
    header = None if not lines or any(map(_is_number, lines[0][1])) else lines.pop(0)[1]
    if not lines:
        raise ValueError(f"{path} holds no samples; needed is one per line")
    width = len(header or lines[0][1])
    for number, cells in lines:
        if len(cells) != width:
            raise ValueError(f"{path}, line {number}: {len(cells)} cells, others {width}; delimiter is {delimiter!r}")
    return header, lines


def _column(path: Path, name: str, place: int, lines: Sequence[Line], is_input: bool) -> list[str]:
    """The cells of a column, which all hold something: numbers, if it is an input."""
    gaps = [str(number) for number, cells in lines if cells[place].lower() in MISSING]
    if gaps:
        shown = ", ".join(gaps[:5]) + (f" and {len(gaps) - 5} more" if len(gaps) > 5 else "")
        raise ValueError(f"{path}: column {name!r} has no value in lines {shown}; fill or remove them")
    for number, cells in lines:
        if is_input and not _is_number(cells[place]):
            raise ValueError(
                f"{path}: column {name!r} holds {cells[place]!r} in line {number}; encode it as numbers, or name the "
                "columns to use in inputs"
            )
    return [cells[place] for _, cells in lines]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _typed(column: Sequence[str]) -> np.ndarray:
    """As integers, else as floats, else as text."""
    for kind in (int, float):
        try:
            return np.array([kind(cell) for cell in column])
        except ValueError:
            continue
    return np.array(column)


def _place(path: Path, argument: str, column: str | int, names: Sequence[str], header: Sequence[str] | None) -> int:
    if isinstance(column, int) and -len(names) <= column < len(names):
        return column % len(names)
    if isinstance(column, str) and header and column in header:
        return header.index(column)
    known = ", ".join(header) if header else f"0 … {len(names) - 1} (it has no line of names)"
    raise ValueError(f"{argument}={column!r} is no column of {path}; choose from {known}")
