"""The API reference: a page for each public module, with every name of its ``__all__``. A name without words fails."""

import logging

from docstrings import readable
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from names import PACKAGE, package, public

log = logging.getLogger("mkdocs.hooks.reference")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for module, names in public().items():
        missing = [name for name in names if not documented(f"{module}.{name}")]
        if missing:
            log.warning("%s: no docstring: %s", module, ", ".join(missing))
        page = File.generated(config, f"api/{module.removeprefix(f'{PACKAGE}.')}.md", content=text(module, names))
        files.append(page)
    return files


def documented(path: str) -> bool:
    found = package()[path.removeprefix(f"{PACKAGE}.")]
    return bool((found.final_target if found.is_alias else found).docstring)


def text(module: str, names: tuple[str, ...]) -> str:
    """A page: what the module is for, a table of its names with their first sentences, then each in full."""
    found = package() if module == PACKAGE else package()[module.removeprefix(f"{PACKAGE}.")]
    rows = [f"| [`{name}`][{module}.{name}] | {first_line(f'{module}.{name}')} |" for name in names]
    parts = [f"::: {module}.{name}" for name in names]
    head = [
        f"# {module}",
        readable(found.docstring.value),
        "\n".join(["| Name | In one sentence |", "|---|---|", *rows]),
    ]
    return "\n\n".join([*head, *parts, ""])


def first_line(path: str) -> str:
    found = package()[path.removeprefix(f"{PACKAGE}.")]
    docstring = (found.final_target if found.is_alias else found).docstring
    sentence = docstring.value.split("\n\n")[0] if docstring else ""
    return " ".join(readable(sentence).split()).replace("|", "\\|")
