"""The file of an explorer: data, figures and Plotly in one."""

import base64
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from chaosjax._checks import check_count
from chaosjax._results import provenance_of
from chaosjax.plotting._explorer._quantities import Quantity, axes_of, curves, numbers
from chaosjax.plotting._explorer._thinning import thinned, thinning
from chaosjax.stats import mean_interval


class Explorer(NamedTuple):
    """What `explore` made; a notebook shows it.

    Attributes:
        html: the whole page.
        thinned: which cells and times its curves leave out, in words; "" if none.
    """

    html: str
    thinned: str

    def save(self, path: str | Path) -> Path:
        """Write the page to a file, which opens anywhere without a network, and return its path."""
        path = Path(path)
        path.write_text(self.html, encoding="utf-8")
        return path

    def _repr_html_(self) -> str:
        frame = 'style="width: 100%; height: 1400px; border: 0"'
        return f'<iframe {frame} srcdoc="{html.escape(self.html)}"></iframe>'


def explore(
    records: xr.Dataset,
    title: str = "",
    *,
    threshold: float = 0.9,
    most_cells: int = 2000,
    most_values: int = 4_000_000,
) -> Explorer:
    """Make a page to click through a sweep: numbers over any axis, and the curves of the cell one clicks on.

    Over an axis stand the exponents (of the whole run, and of the steepest window of perturbed copies), training times
    and last values, with their 95 % intervals over seeds. A click shows d(t), λ(t) and all other records of that cell,
    one line per seed. A map shows any of them over two axes, time among them. Data behind each figure can be saved.

    The page holds Plotly and needs no network. Intervals are of all cells. Curves are kept of `most_cells` at most, and
    of 400 times; the page says what was left out. λ(t) of times kept is the mean since the one before.

    Args:
        records: a dataset of `sweep`: ``[*axes, time, *own]``. Of own dimensions the mean over copies and the first
            exponent and eigenvalue are shown; records of more than 64 entries are not.
        title: above the figures.
        threshold: accuracy that ends the training time.
        most_cells: cells with curves.
        most_values: numbers in all curves together; each takes 5 bytes of the file.

    Raises:
        ValueError: no dataset of a sweep, or a limit below 1.

    Cost: reads all records; intervals of 140 cells take half a second. The file has 5 MB and the curves.
    """
    from plotly.offline import get_plotlyjs  # 5 MB of text, which only this needs

    check_count("most_cells", most_cells)
    check_count("most_values", most_values)
    axes = axes_of(records)
    found = list(curves(records))
    sizes = {axis: records.sizes[axis] for axis in axes}
    thin = thinning(sizes, records.sizes["time"], max(1, len(found)), most_cells, most_values)
    data = {
        "axes": [_axis(records, axis, thin.kept[axis]) for axis in axes],
        "time": _numbers(records["time"].values[thin.kept["time"]]),
        "curves": [_curve(curve, thinned(curve, thin.kept)) for curve in found],
        "numbers": [_number(number, axes) for number in numbers(records, found, threshold)],
        "note": thin.words,
        "provenance": _provenance(records),
    }
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c")  # nothing in it ends the script
    part = files("chaosjax.plotting._explorer")
    page = part.joinpath("explorer.html").read_text(encoding="utf-8")
    parts = {
        "TITLE": html.escape(title or "Sweep"),
        "DATA": text,
        "PLOTLY": get_plotlyjs(),
        "SCRIPT": part.joinpath("explorer.js").read_text(encoding="utf-8"),
    }
    return Explorer(re.sub(f"<!--({'|'.join(parts)})-->", lambda found: parts[found[1]], page), thin.words)


def _axis(records: xr.Dataset, axis: str, kept: np.ndarray) -> dict[str, Any]:
    values = records[axis].values if axis in records.coords else np.arange(records.sizes[axis])
    plain = values.tolist() if values.dtype.kind in "fiu" else [str(value) for value in values]
    return {
        "name": axis,
        "label": axis.replace("_", " ") + (" η" if axis == "learning_rate" else ""),
        "values": plain,
        "kept": kept.tolist(),
    }


def _curve(curve: Quantity, values: xr.DataArray) -> dict[str, Any]:
    return {"name": curve.name, "label": curve.label, "units": curve.units, "values": _numbers(values.values)}


def _number(number: Quantity, axes: tuple[str, ...]) -> dict[str, Any]:
    values = number.values.transpose(*axes).astype(float)
    interval = mean_interval(values) if "seed" in axes else values.expand_dims(bound=3)
    rest = [axis for axis in axes if axis != "seed"]
    return {
        "name": number.name,
        "label": number.label,
        "units": number.units,
        "values": _numbers(values.values),
        "interval": _numbers(interval.transpose(*rest, "bound").values),
    }


def _numbers(values: np.ndarray) -> str:
    """Single precision in text, which holds NaN as JSON does not."""
    with np.errstate(over="ignore"):
        return base64.b64encode(np.ascontiguousarray(values, dtype="<f4").tobytes()).decode()


def _provenance(records: xr.Dataset) -> str:
    try:
        found = provenance_of(records)
    except (KeyError, ValueError):
        found = dict(records.attrs)
    return json.dumps(found, indent=2, default=str)
