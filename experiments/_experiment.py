"""An experiment: the way from stored records to a summary, figures and findings."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar

import xarray as xr
from matplotlib.figure import Figure
from rich.console import Console

from chaosjax import plotting
from experiments._drawing import title_of
from experiments._findings import Finding, cost, cost_line, save, table_of

T_co = TypeVar("T_co", covariant=True)

Records = Any
"""What an experiment reads: the dataset of its sweep, or several datasets by the name of their store or job."""


class Summarise(Protocol):
    def __call__(self, records: Records, /, *args: Any, **settings: Any) -> xr.Dataset:
        """Reduce records to a summary."""
        ...


class Reading(Protocol[T_co]):
    def __call__(self, summary: xr.Dataset, records: Records, /) -> T_co:
        """Make something of the summary and of the records that it came from."""
        ...


def no_words(summary: xr.Dataset, records: Records, /) -> dict[str, Any]:
    """Fill in nothing: the text has no braces."""
    return {}


class Experiment(NamedTuple):
    """The functions of an experiment; calling the record writes its report. `report._target_` in a yaml names one.

    All but `summarise` find its settings in ``summary.attrs``.

    Attributes:
        summarise: reduces the records to the numbers of the page; takes the settings of `report` in the yaml by name.
        figures: draws them, by the name of their file.
        findings: holds what was measured against what is published: findings.json, and a table in the terminal.
        words: fills the braces of the text that stands beside the module, fig7.md for fig7.py; None: no text.
        table: what is printed of an experiment without findings, texts and tables of rich.
        squeeze: a dimension of size 1 to drop, such as the learning rate of an experiment at a single one.
        explorer: whether a page to click through the records, explorer.html, is written beside the figures.
    """

    summarise: Summarise
    figures: Reading[Mapping[str, Figure]]
    findings: Reading[Sequence[Finding]] | None = None
    words: Reading[Mapping[str, Any] | None] = no_words
    table: Reading[Sequence[Any]] | None = None
    squeeze: str | Sequence[str] = ()
    explorer: bool = False

    def __call__(self, records: xr.Dataset | Mapping[str, xr.Dataset], folder: Path, **settings: Any) -> None:
        """Write summary.zarr, figures, table.txt and, if there are any, findings.json and explorer.html into a folder.

        The cost on the page is that of the jobs' own sweeps; the sweeps that follow from them are not counted.
        """
        parts = {"sweep": records} if isinstance(records, xr.Dataset) else records
        parts = {name: _loaded(part) for name, part in parts.items()}
        sweeps = [parts["sweep"]] if "sweep" in parts else list(parts.values())
        sweeps = [part if isinstance(part, xr.Dataset) else part["sweep"] for part in sweeps]
        loaded: Records = parts["sweep"].squeeze(self.squeeze) if isinstance(records, xr.Dataset) else parts
        summary = _plain_texts(self.summarise(loaded, **settings)).assign_attrs(settings)
        summary.drop_encoding().to_zarr(folder / "summary.zarr", mode="w", consolidated=False)
        with plotting.style():
            for name, figure in self.figures(summary, loaded).items():
                figure.savefig(folder / f"{name}.png")
        if self.explorer:
            plotting.explore(parts["sweep"], title_of(parts["sweep"])).save(folder / "explorer.html")
        if self.findings:
            found, costs = self.findings(summary, loaded), cost(*sweeps)
            save(folder / "findings.json", found, costs, self.text(summary, loaded))
            _show(folder, [table_of(found), cost_line(costs)])
        if self.table:
            _show(folder, self.table(summary, loaded))

    def text(self, summary: xr.Dataset, records: Records) -> str:
        """The text beside the module of `findings`, filled in; empty if there is none."""
        path, words = (
            Path(inspect.getfile(self.findings or self.summarise)).with_suffix(".md"),
            self.words(summary, records),
        )
        return "" if words is None or not path.exists() else path.read_text().strip().format(**words)


def _loaded(part: Records) -> Records:
    return part.load() if isinstance(part, xr.Dataset) else {name: inner.load() for name, inner in part.items()}


def _plain_texts(summary: xr.Dataset) -> xr.Dataset:
    """The summary with texts of any length: those of a fixed one have no place in zarr's format."""
    texts = {name: values.astype(object) for name, values in summary.coords.items() if values.dtype.kind == "U"}
    return summary.assign_coords(texts)


def _show(folder: Path, parts: Sequence[Any], width: int = 160) -> None:
    """Print a report, and write it to table.txt."""
    with (folder / "table.txt").open("w") as file:
        screen = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else width)
        for console in (screen, Console(file=file, markup=False, width=width)):
            console.print(*parts, sep="\n", soft_wrap=True)
    print(f"Figures, table and records: {folder}")
