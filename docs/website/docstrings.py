"""Docstrings as the reference shows them: equations for the typesetter, and links to the names that they mention."""

import re
from typing import Any

import griffe
from names import linked

BLOCK = re.compile(r"^( *)\.\. math:: ?(.*(?:\n(?:\1 +\S.*))*)", re.MULTILINE)
INLINE = re.compile(r":math:`([^`]+)`")
DOUBLE = re.compile(r"``([^`\n]+)``")
SECTION = re.compile(r"^( *)(Cost|Source): *(?=\S)", re.MULTILINE)


def readable(text: str) -> str:
    """A docstring in Markdown."""
    text = BLOCK.sub(lambda found: f"\n{found[1]}$${' '.join(found[2].split())}$$\n", text)
    text = INLINE.sub(lambda found: f"${' '.join(found[1].split())}$", text)
    text = DOUBLE.sub(r"`\1`", text)
    text = SECTION.sub(r"\1**\2**: ", text)
    return linked(text)


class Readable(griffe.Extension):
    """Rewrites every docstring once it is loaded."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)
