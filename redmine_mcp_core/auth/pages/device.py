"""The pages of the device flow: enter the code, make sure of it, and go back to the device."""

from __future__ import annotations

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages.consent import vouched
from redmine_mcp_core.auth.pages.frame import complaint, hidden, message, page, paragraph
from redmine_mcp_core.auth.pages.names import ClientName
from redmine_mcp_core.auth.pages.words import Words

_ENTER = Markup(
    """<h1>{heading}</h1>
<p class="soft">{intro}</p>
<form method="get">
<label for="user_code">{label}</label>
<input id="user_code" class="code" name="user_code" value="{entered}" autocomplete="off"
 autocapitalize="characters" spellcheck="false" required maxlength="20" placeholder="{placeholder}"
 autofocus{wrong}>
{problem}<div class="actions"><button class="primary" type="submit">{submit}</button></div>
</form>"""
)

_ASK = Markup(
    """<h1>{heading}</h1>
<p>{compare}</p>
<p class="code" id="code">{code}</p>
<dl class="facts">
<div><dt>{client_label}</dt><dd>{client}</dd></div>
{from_where}</dl>
{who}
<p class="warning">{warning}</p>
<form method="post" action="?">
{hidden}
<div class="actions">
<button class="primary" type="submit" name="action" value="confirm">{yes}</button>
<button type="submit" name="action" value="refuse">{no}</button>
</div>
</form>"""
)


def device_code(request: Request, *, entered: str = "", problem: str | None = None) -> HTMLResponse:
    """Asks for the code that a device shows. ``problem`` names a text."""
    words = Words.for_reader(request)
    body = _ENTER.format(
        heading=words("device.heading"),
        intro=words("device.intro"),
        label=words("device.label"),
        entered=entered[:20],
        placeholder=words("device.placeholder"),
        submit=words("device.submit"),
        **complaint(words(f"device.{problem}") if problem else None),
    )
    status = {None: 200, "too_many": 429}.get(problem, 400)
    return page(words, "device.title", body, status=status)


def device_question(
    request: Request, *, client: ClientName, code: str, address: str, form_token: str
) -> HTMLResponse:
    """Asks whether the device is the person's own (RFC 8628, sections 3.3.1 and 5.4)."""
    words = Words.for_reader(request)
    from_where = Markup("<div><dt>{}</dt><dd>{}</dd></div>\n").format(
        words("device.address"), address
    )
    body = _ASK.format(
        heading=words("device.question"),
        compare=words("device.compare"),
        code=code,
        client_label=words("device.client"),
        client=client,
        from_where=from_where if address else "",
        who=vouched(words, client),
        warning=words("device.warning"),
        hidden=hidden(user_code=code, form_token=form_token),
        yes=words("device.yes"),
        no=words("device.no"),
    )
    return page(words, "device.title", body)


def device_signed_in(
    request: Request, *, client: ClientName, name: str, connections: str
) -> HTMLResponse:
    """Sends the person back to the device, which is signed in."""
    words = Words.for_reader(request)
    body = Markup('<p class="done" aria-hidden="true">✓</p>\n<h1>{}</h1>\n{}\n{}').format(
        words("device.done"),
        paragraph(words("device.done.who", client=client, name=_bold(name))),
        paragraph(words("device.done.more", connections=_link(words, connections)), "soft"),
    )
    return page(words, "device.done.title", body)


def device_refused(request: Request) -> HTMLResponse:
    """Says that the device got nothing."""
    words = Words.for_reader(request)
    more = paragraph(words("device.refused.more"))
    return message(words, "device.refused.title", "device.refused", more)


def _bold(text: str) -> Markup:
    return Markup("<b><bdi>{}</bdi></b>").format(text)


def _link(words: Words, address: str) -> Markup:
    return Markup('<a href="{}">{}</a>').format(address, words("connections.link"))
