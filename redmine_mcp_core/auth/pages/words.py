"""Which language a page speaks, and its texts in it.

To translate the pages, add a catalogue beside ``texts.py`` with the same names, and name it below.
"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup, escape
from starlette.requests import Request

from redmine_mcp_core.auth.pages.texts import ENGLISH

FALLBACK = "en"

CATALOGUES: dict[str, Mapping[str, str]] = {FALLBACK: ENGLISH}
"""Texts by name, by language tag (RFC 5646)."""


class Words:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = CATALOGUES[language]

    @classmethod
    def for_reader(cls, request: Request) -> Words:
        """Those that the browser's user reads best, of the languages there are."""
        return cls(_language(request.headers.get("accept-language", "")))

    def __call__(self, name: str, /, **values: object) -> Markup:
        """A text, with its ``{places}`` filled in: values are escaped, HTML of ours is not."""
        return escape(self._texts[name]).format(**values)

    def known(self, name: str) -> Markup | None:
        """A text that there may not be."""
        return self(name) if name in self._texts else None


def _language(accepted: str) -> str:
    """The best language for an ``Accept-Language`` (RFC 9110, section 12.5.4; RFC 4647, lookup)."""
    ranges = []
    for part in accepted.split(",")[:20]:
        tag, _, quality = part.strip().lower().partition(";q=")
        try:
            ranges.append((float(quality or 1), tag.strip()))
        except ValueError:
            continue
    known = {tag.lower(): tag for tag in CATALOGUES}
    for weight, wanted in sorted(ranges, key=lambda item: -item[0]):
        tag = wanted if weight > 0 else ""
        while tag:
            if tag in known:
                return known[tag]
            tag = tag.rpartition("-")[0]
    return FALLBACK
