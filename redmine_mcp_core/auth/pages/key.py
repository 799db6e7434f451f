"""The page that asks for a person's API key."""

from __future__ import annotations

from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from redmine_mcp_core.auth.pages.frame import complaint, page
from redmine_mcp_core.auth.pages.words import Words

_BODY = Markup(
    """<h1>{heading}</h1>
<p class="soft">{intro}</p>
<ol class="steps">
<li>{open}</li>
<li>{find}</li>
<li>{paste}</li>
</ol>
<form method="post" action="?txn_id={txn_id}">
<label for="api_key">{label}</label>
<input id="api_key" name="api_key" type="password" autocomplete="off" spellcheck="false" required
 maxlength="200" autofocus{wrong}>
{problem}<p class="soft">{kept}</p>
<div class="actions"><button class="primary" type="submit">{submit}</button></div>
</form>"""
)


def key_login(
    request: Request, redmine_url: str, txn_id: str, *, refused: bool = False
) -> HTMLResponse:
    """Asks for the person's API key, and says where it is to be found."""
    words = Words.for_reader(request)
    account = Markup('<a href="{}" target="_blank" rel="noopener">{}</a>').format(
        f"{redmine_url}/my/account", words("key.account", redmine=urlsplit(redmine_url).netloc)
    )
    body = _BODY.format(
        heading=words("key.heading"),
        intro=words("key.intro"),
        open=words("key.open", account=account),
        find=words("key.find"),
        paste=words("key.paste"),
        txn_id=txn_id,
        label=words("key.label"),
        kept=words("key.kept"),
        submit=words("key.submit"),
        **complaint(words("key.refused") if refused else None),
    )
    return page(words, "key.title", body, status=403 if refused else 200)
