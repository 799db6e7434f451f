"""The page that shows a person which clients are connected as them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages import permissions
from redmine_mcp_core.auth.pages.frame import hidden, message, page, paragraph
from redmine_mcp_core.auth.pages.names import ClientName
from redmine_mcp_core.auth.pages.words import Words


@dataclass(frozen=True, slots=True)
class Connection:
    """A client that is connected as the person."""

    handle: str
    """What the page calls it by."""
    client: ClientName
    scopes: Sequence[str]
    way: str
    began: float
    used: float
    """Unix times."""


_BODY = Markup(
    """<h1>{heading}</h1>
<p class="soft">{who}</p>
{notice}{list}
<form method="post" class="foot">
{hidden}
{all}<button type="submit" name="sign_out" value="yes">{sign_out}</button>
</form>"""
)

_ALL = Markup('<button type="submit" class="danger" name="all" value="yes">{}</button>\n')

_ITEM = Markup(
    """<li>
<div class="head"><h2>{client}</h2>{host}</div>
<dl class="facts">
<div><dt>{since}</dt><dd>{began}</dd></div>
<div><dt>{last}</dt><dd>{used}</dd></div>
<div><dt>{how}</dt><dd>{way}</dd></div>
</dl>
<details><summary>{summary}</summary>{permissions}</details>
<form method="post">
{hidden}
<button type="submit" name="disconnect" value="{handle}" aria-label="{label}">{end}</button>
</form>
</li>
"""
)


def connections(
    request: Request,
    *,
    name: str,
    login: str,
    form_token: str,
    held: Sequence[Connection],
    ended: bool = False,
) -> HTMLResponse:
    """Who is connected, since when, with what permissions; each can be disconnected."""
    words = Words.for_reader(request)
    fields = hidden(form_token=form_token)
    items = Markup("").join(_item(words, connection, fields) for connection in held)
    body = _BODY.format(
        heading=words("connections.heading"),
        who=words("connections.who", name=Markup("<bdi>{}</bdi>").format(name), login=login),
        notice=(
            Markup('<p class="notice" role="status">{}</p>\n').format(words("connections.ended"))
            if ended
            else ""
        ),
        list=(
            Markup('<ul class="connections">\n{}</ul>').format(items)
            if held
            else paragraph(words("connections.none"), "empty")
        ),
        hidden=fields,
        all=_ALL.format(words("connections.all")) if len(held) > 1 else "",
        sign_out=words("connections.sign_out"),
    )
    return page(words, "connections.title", body, wide=True)


def signed_out(request: Request) -> HTMLResponse:
    """Says that the page has forgotten the person."""
    words = Words.for_reader(request)
    more = paragraph(words("signed_out.more"), "soft")
    return message(words, "signed_out.heading", "signed_out.heading", more)


def _item(words: Words, held: Connection, fields: Markup) -> Markup:
    host = words("client.vouched.short", host=held.client.host) if held.client.host else ""
    kinds = permissions.grouped(held.scopes)
    most = next((kind for kind in reversed(permissions.KINDS) if kind in kinds), "see")
    return _ITEM.format(
        client=held.client,
        host=Markup('<span class="badge">{}</span>').format(host) if host else "",
        since=words("connections.since"),
        began=_moment(words, held.began),
        last=words("connections.last"),
        used=_moment(words, held.used),
        how=words("connections.way"),
        way=words(f"connections.way.{held.way}"),
        summary=words(f"connections.may.{most}"),
        permissions=permissions.described(words, held.scopes),
        hidden=fields,
        handle=held.handle,
        label=words(
            "connections.disconnect.label",
            client=str(held.client),
            since=_moment(words, held.began).striptags(),
        ),
        end=words("connections.disconnect"),
    )


def _moment(words: Words, unix_time: float) -> Markup:
    """A moment, in the one time zone that we know without a script."""
    moment = datetime.fromtimestamp(unix_time, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        moment.isoformat(timespec="minutes"),
        words("moment", date=moment.strftime("%Y-%m-%d"), time=moment.strftime("%H:%M")),
    )
