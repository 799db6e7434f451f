"""The page that asks whether a client may act in Redmine as the person."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages import permissions
from redmine_mcp_core.auth.pages.frame import hidden, page, paragraph
from redmine_mcp_core.auth.pages.names import ClientName
from redmine_mcp_core.auth.pages.words import Words

_BODY = Markup(
    """<h1>{heading}</h1>
{who}
{intro}
<form method="post">
{hidden}
{choices}
{where}
<div class="actions">
<button class="primary" type="submit" name="action" value="approve">{yes}</button>
<button type="submit" name="action" value="deny">{no}</button>
</div>
</form>"""
)


def consent(
    request: Request,
    *,
    client: ClientName,
    ways: Sequence[str],
    redirect_uri: str,
    redmine_url: str,
    scopes: Sequence[str],
    txn_id: str,
    csrf_token: str,
    device_code: str = "",
) -> HTMLResponse:
    """Asks whether a client may act in Redmine as the person, and says what it could do.

    ``device_code`` is the code that a device without a browser shows, where one has asked.
    """
    words = Words.for_reader(request)
    where = ("consent.device", device_code) if device_code else ("consent.where", redirect_uri)
    body = _BODY.format(
        heading=words("consent.heading", client=client),
        who=vouched(words, client),
        intro=paragraph(words("consent.intro", redmine=_host(redmine_url)), "soft"),
        hidden=hidden(txn_id=txn_id, csrf_token=csrf_token),
        choices=permissions.choices(words, scopes) + permissions.ways(words, ways),
        where=Markup('<div class="where">{}<code>{}</code></div>').format(
            words(where[0]), where[1]
        ),
        yes=words("consent.allow"),
        no=words("consent.deny"),
    )
    return page(words, "consent.title", body)


def own_sign_in(
    request: Request, *, ways: Sequence[str], redmine_url: str, txn_id: str, csrf_token: str
) -> HTMLResponse:
    """Asks whether the person wants to sign in to a page of ours."""
    words = Words.for_reader(request)
    body = _BODY.format(
        heading=words("own.heading"),
        who="",
        intro=paragraph(words("own.intro", redmine=_host(redmine_url)), "soft"),
        hidden=hidden(txn_id=txn_id, csrf_token=csrf_token),
        choices=permissions.ways(words, ways),
        where="",
        yes=words("own.continue"),
        no=words("own.cancel"),
    )
    return page(words, "own.title", body)


def vouched(words: Words, client: ClientName) -> Markup:
    """Who stands behind the name of a client."""
    if client.host:
        return paragraph(words("client.vouched", host=client.host), "badge")
    return paragraph(words("client.own_word"), "soft")


def _host(redmine_url: str) -> Markup:
    return Markup("<b>{}</b>").format(urlsplit(redmine_url).netloc)
