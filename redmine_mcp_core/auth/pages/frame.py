"""What all pages have in common: the frame, the style, and the headers.

The policy allows nothing but this one style sheet. It names no ``form-action``, because Chromium
applies that to the whole chain of redirects that follows the form, which ends at the client's own
address.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from markupsafe import Markup
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages.words import Words

STYLE = files(__package__).joinpath("style.css").read_text(encoding="utf-8")

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src 'sha256-"
        + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
        + "'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": with that a browser posts the form with "Origin: null", which is refused.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_FRAME = Markup(
    """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header class="brand"><svg width="24" height="24" viewBox="0 0 26 26" aria-hidden="true">
<path d="M2 20a11 11 0 0 1 22 0h-6a5 5 0 0 0-10 0z" fill="currentColor" opacity=".3"/>
<path d="M2 20a11 11 0 0 1 5-9.2l2.9 5.1A5 5 0 0 0 8 20z" fill="currentColor"/></svg>
<span>{brand}</span></header>
<main{wide}>
{body}
</main>
</body>
</html>
"""
)


def page(
    words: Words, title: str, body: Markup, *, status: int = 200, wide: bool = False
) -> HTMLResponse:
    """A page. ``title`` names a text of ours only: a browser's tab sets nothing apart."""
    html = _FRAME.format(
        language=words.language,
        title=words("title", page=words(title)),
        style=Markup(STYLE),  # noqa: S704 - our own file
        brand=words("brand"),
        wide=Markup(' class="wide"') if wide else "",
        body=body,
    )
    return HTMLResponse(html, status_code=status, headers=_HEADERS)


def paragraph(text: Markup, kind: str = "") -> Markup:
    return (
        Markup('<p class="{}">{}</p>').format(kind, text)
        if kind
        else Markup("<p>{}</p>").format(text)
    )


def message(
    words: Words, title: str, heading: str, *paragraphs: Markup, status: int = 200
) -> HTMLResponse:
    """A page that says something and asks nothing. ``title`` and ``heading`` name texts."""
    body = Markup("<h1>{}</h1>\n{}").format(words(heading), Markup("\n").join(paragraphs))
    return page(words, title, body, status=status)


def complaint(why: Markup | None) -> dict[str, Markup]:
    """That what was entered is wrong: ``wrong`` for the field, ``problem`` for behind it. Both are
    empty where nothing is."""
    if why is None:
        return {"wrong": Markup(""), "problem": Markup("")}
    return {
        "wrong": Markup(' aria-invalid="true" aria-describedby="wrong"'),
        "problem": Markup('<p class="wrong" role="alert" id="wrong">{}</p>\n').format(why),
    }


def hidden(**fields: str) -> Markup:
    """Fields of a form that nobody sees."""
    return Markup("").join(
        Markup('<input type="hidden" name="{}" value="{}">').format(name, value)
        for name, value in fields.items()
    )
