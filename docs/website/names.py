"""The public names of the package, read from its sources, and links to them in any text."""

import re
from functools import cache
from typing import Any

import griffe

PACKAGE = "chaosjax"
CODE = re.compile(r"(?<![\[`])`(?:cj\.|chaosjax\.)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)(\([^`\n]*\))?`(?!`)")


@cache
def package() -> Any:
    """The package as griffe sees it, nothing imported."""
    return griffe.load(PACKAGE, search_paths=["."], resolve_aliases=True)


@cache
def public() -> dict[str, tuple[str, ...]]:
    """The public names of each public module: those of its ``__all__`` that are no modules, the package first."""
    root = package()
    modules = [name for name in root.exports if root[name].is_module]
    names = {PACKAGE: tuple(name for name in root.exports if name not in modules)}
    return names | {f"{PACKAGE}.{module}": tuple(root[module].exports) for module in modules}


@cache
def paths() -> dict[str, str]:
    """Where a name leads, by the name as a text says it: ``stats.onset``, or ``sweep``."""
    return {
        f"{module}.{name}".removeprefix(f"{PACKAGE}."): f"{module}.{name}"
        for module, names in public().items()
        for name in names
    }


def linked(text: str) -> str:
    """Markdown in which inline code that is a public name, called or not, leads to its place in the reference."""

    def link(match: re.Match[str]) -> str:
        path = paths().get(match[1])
        return f"[{match[0]}][{path}]" if path else match[0]

    parts = re.split(r"(^ *```.*?^ *```[^\n]*$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.lstrip().startswith("```") else CODE.sub(link, part) for part in parts)
