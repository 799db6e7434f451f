"""The page for a sign-in that did not come about."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages.frame import message, paragraph
from redmine_mcp_core.auth.pages.words import Words
from redmine_mcp_core.redmine import RedmineError


def problem(
    request: Request, status: int, why: str | RedmineError | None = None, *, then: str = "client"
) -> HTMLResponse:
    """Says why a sign-in did not come about, and what to do next.

    ``why`` is the name of a text, or what Redmine was to blame for, which is told in the words of
    that error; by itself the status says it. ``then`` names what to do next.
    """
    words = Words.for_reader(request)
    if isinstance(why, RedmineError):
        reason = Markup('<span lang="en">{}</span>').format(str(why))
    else:
        named = f"problem.{why or status}"
        reason = words.known(named) or words("problem.other")
    next_step = paragraph(words(f"problem.then.{then}"), "soft")
    return message(
        words, "problem.title", "problem.heading", paragraph(reason), next_step, status=status
    )
