"""Long texts in Redmine's two markups, Textile and CommonMark, cut so that they still read well."""

from __future__ import annotations

import re

from redmine_mcp_core.results.text import shorten, visible

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
"""The beginning or end of a code block (CommonMark 0.31, section 4.5)."""
_PRE = re.compile(r"<(/?)pre\b", re.IGNORECASE)
"""The same in Textile."""


def readable(text: str | None) -> str:
    """A text as it was written, without empty lines around it; its first indentation stays."""
    return re.sub(r"\A(?:[ \t]*\n)+", "", visible(text or "")).rstrip()


def cut_text(text: str, limit: int | None) -> tuple[str, int]:
    """The text within ``limit`` characters, and how many were left out.

    A block of code that is cut is closed, so that what follows is not read as part of it.
    """
    if limit is None:
        return text, 0
    kept, left_out = shorten(text, limit)
    return (kept + _closing(kept) if left_out else kept), left_out


def _closing(text: str) -> str:
    fences = _FENCE.findall(text)
    if len(fences) % 2:
        return f"\n{fences[-1]}"
    tags = _PRE.findall(text)
    return "</pre>" if tags and not tags[-1] else ""
