"""Equations as MathML, written into the pages: no script and no font of anybody else is needed to read them."""

import html
import re

from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)
BLOCK = re.compile(r'<div class="arithmatex">\s*\\\[(.*?)\\\]\s*</div>', re.DOTALL)
FOREIGN = {r"\mathtt": r"\mathrm", r"\,": r"\;"}
"""What the converter does not know, and its nearest kin."""


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    content = INLINE.sub(lambda found: mathml(found[1], "inline"), content)
    return BLOCK.sub(lambda found: f'<div class="equation">{mathml(found[1], "block")}</div>', content)


def mathml(latex: str, display: str) -> str:
    return convert(html.unescape(latex).strip(), display=display)
