"""Typeset formulas without a script or a network: LaTeX in the Markdown becomes MathML.

``$$ … $$`` on lines of their own is a displayed formula, ``$…$`` and ``\\( … \\)`` one in a line.
GitHub reads the first two as well. Browsers draw MathML by themselves.

A formula is taken out before the page is read as Markdown, so that no ``_`` or ``*`` of it means
anything there, and put back once the page is HTML. Code is left alone. A command that is not known
stops the build.
"""

from __future__ import annotations

import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError

# Code comes first: what is found there is kept as it is.
_PIECES = re.compile(
    r"(?P<code>^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[^\n]*$|(?P<tick>`+)[^`].*?(?P=tick))"
    r"|\$\$(?P<block>.+?)\$\$"
    r"|(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]*[^\s$\\])?)\$(?![\w$])"
    r"|\\\((?P<parens>.+?)\\\)",
    re.MULTILINE | re.DOTALL,
)
_PLACEHOLDER = "formula{}ends"
_PLACED = re.compile(r"formula(\d+)ends")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Take the formulas out, leaving a word for each."""
    formulas: list[str] = []

    def take(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return found[0]
        inline = found["inline"] or found["parens"]
        formulas.append(mathml(found["block"] or inline, block=inline is None, where=page.file))
        return _PLACEHOLDER.format(len(formulas) - 1)

    markdown = _PIECES.sub(take, markdown)
    page.formulas = formulas
    return markdown


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """Put the formulas back as MathML."""
    return _PLACED.sub(lambda found: page.formulas[int(found[1])], html)


def mathml(latex: str, *, block: bool, where: Any = "a formula") -> str:
    """MathML of one formula; raises ``PluginError`` where a command is not known."""
    source = " ".join(latex.split())
    found = convert(source, display="block" if block else "inline")
    if "\\" in found or "&#x0005C;" in found:
        raise PluginError(f"{where}: a command of this formula is not known: {source}")
    return found
