"""The results as tables, for the terminal and for docs/benchmarks.md."""

from statistics import median

from floors import RATE_AIMS, floors
from rich.console import Console
from rich.table import Table as RichTable
from table import Table, markdown, spread

AGREEMENT = 1e-9
WIDTH = 110


def show(results: dict) -> None:
    """The tables on the terminal."""
    console = Console(width=max(WIDTH, Console().width))
    for table in tables(results):
        shown = RichTable(*table.columns[:1], title=table.title, title_justify="left", caption_justify="left")
        shown.caption = table.note
        for column in table.columns[1:]:
            shown.add_column(column, justify="right")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def page(results: dict) -> str:
    """The page docs/benchmarks.md."""
    machine, versions = results["machine"], results["iris"]["provenance"]["versions"]
    torch = results["iris"].get("torch", {})
    named = {**versions, **({"torch": torch["torch"]} if torch else {})}
    lines = [
        "# Benchmarks",
        "",
        "This page is written by `make bench`, with the raw figures in `benchmarks/results.json`. Rates are medians of",
        "repeats that alternate between the sides (A B C A B C …), least and greatest in brackets; ratios are taken",
        "within this one run. Compilation and warm-up are not in the rates.",
        "",
        f"- {results['started']}, commit {results['iris']['provenance']['commit']}, one-minute load before the run "
        f"{results['load_before']:.1f}",
        f"- {machine['cores']} cores of {machine['processor']}, {machine['system']}"
        + (f"; {machine['accelerator']}" if machine["accelerator"] else "; no accelerator was at hand"),
        f"- Python {results['iris']['provenance']['python']}, "
        + ", ".join(f"{name} {version}" for name, version in named.items()),
        "",
    ]
    for table in tables(results):
        lines += [f"## {table.title}", "", markdown(table.columns)]
        lines.append(markdown(("---", *["---:"] * (len(table.columns) - 1))))
        lines += [*map(markdown, table.rows), "", table.note, ""]
    return "\n".join(lines)


def tables(results: dict) -> list[Table]:
    beside = [_beside(results)] if "beside" in results else []
    return [_iris(results), _main_job(results), *beside, floors(results)]


def _iris(results: dict) -> Table:
    iris, sizes = results["iris"], results["sizes"]
    rates = iris["rates"]
    ours = rates["chaosjax"]
    rows = []
    for side, found in rates.items():
        ratios = [a / b for a, b in zip(ours, found, strict=True)]
        difference = iris["loss_difference"].get(side)
        rows.append(
            (
                side,
                spread(found),
                "" if side == "chaosjax" else spread(ratios, 1),
                f"≥ {RATE_AIMS[side]:g}" if side in RATE_AIMS else "",
                "" if difference is None else f"{difference:.0e}",
            )
        )
    batches = iris["cells_per_batch"]
    note = (
        f"{sizes['members']:,} members of 4–10(sigmoid)–3 on 120 samples, float64, full-batch gradient descent, "
        f"{sizes['steps']} steps; as cells of copies, {sizes['members'] // (1 + sizes['copies'])} cells of a reference "
        f"and {sizes['copies']} copies, distances recorded at every step. chaosjax runs on "
        f"{iris['provenance']['devices']} in batches of {batches['chaosjax']} and "
        f"{batches['chaosjax, cells of copies']} cells, compiled in {median(iris['compile_seconds']):.1f} s. "
    )
    if "tuned" in iris:
        vmap = iris["tuned"]["vmap"]
        note += (
            "torch.func.vmap takes all members at once with PyTorch's own number of threads; tuned, the fastest of the "
            f"settings tried: {vmap['batch']} members at a time and {vmap['threads']} thread(s). The serial loop has "
            f"{iris['tuned']['serial']} thread(s); its rate is from {sizes['serial_members']} of the members. "
        )
    worst = max(iris["loss_difference"].values())
    verdict = "agree" if worst <= AGREEMENT else "DO NOT AGREE"
    note += f"All sides start from the same weights; their final losses {verdict} to {AGREEMENT:.0e}."
    columns = ("Iris net", "member-steps/s", "chaosjax's rate over it", "aim", "loss difference")
    return Table("Many small networks", columns, rows, note)


def _main_job(results: dict) -> Table:
    job, sizes = results["main_job"], results["sizes"]
    bare = job["bare"]["rates"]
    rows = []
    for probe, found in job.items():
        costs = [a / b for a, b in zip(bare, found["rates"], strict=True)]
        rows.append(
            (
                {"bare": "no probe", "all": "all of them"}.get(probe, probe),
                spread(found["rates"]),
                "" if probe == "bare" else spread(costs, 2),
                f"{median(found['compile_seconds']):.1f}",
                f"{found['peak_bytes'] / 2**20:,.0f}",
            )
        )
    note = (
        f"Digits, 64–64(tanh)–10, N(0, 1), float64, full batch: {4 * sizes['seeds']} cells × {sizes['main_steps']} "
        f"steps, recorded at every step; ensemble is 3 copies, lyapunov one vector, sharpness taken every "
        f"{sizes['sharpness_every']} steps. Cost is the time of a step with the probe over that of a bare step. Peak "
        "memory is the process's, Python and compiler included (on an accelerator: the device's)."
    )
    columns = ("Main job", "cell-steps/s", "cost", "compilation, s", "peak memory, MiB")
    return Table("The main job, probe by probe", columns, rows, note)


def _beside(results: dict) -> Table:
    rows = []
    for row in results["beside"]:
        ours, theirs = (row["rates"][side] for side in ("chaosjax", row["peer"]))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        compiled = [row["compile_seconds"][side] for side in ("chaosjax", row["peer"])]
        here, there = (row["values"][side] for side in ("chaosjax", row["peer"]))
        apart = [abs(a - b) / max(abs(b), 1e-300) for a, b in zip(here, there, strict=True)]
        rows.append(
            (
                row["title"],
                row["peer"],
                f"{median(ours):,.3g} {row['unit']}",
                f"{median(theirs):,.3g}",
                spread(ratios, 2),
                row["aim"],
                " / ".join(f"{seconds:.1f}" for seconds in compiled),
                f"{max(apart):.0e}" if apart else "",
            )
        )
    note = (
        "Both sides compute the same thing from the same data and weights, in float64 where nothing else is said; the "
        "last column is the largest relative difference of their results: losses, or exponents (of frames that begin "
        "at random). Compilation is the first call's, ours / the peer's; programs on disk are taken from there."
    )
    columns = ("Longer work", "peer", "chaosjax", "the peer", "ratio", "aim", "compilation, s", "difference")
    return Table("Beside other packages", columns, rows, note)
