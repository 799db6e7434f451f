"""The pages a person sees while signing in: plain HTML, no script, light and dark.

Every value goes through ``html.escape``. The policy allows nothing but this one style sheet; it
names no ``form-action``, because Chromium applies that to the whole chain of redirects that
follows the form, which ends at the client's own address.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from html import escape
from string import Template
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

from redmine_mcp_core.results import line, shorten

STYLE = """
:root { color-scheme: light dark; --page: #f3f4f6; --card: #fff; --ink: #1f2430; --soft: #5d6575;
  --line: #e2e5ea; --accent: #b3261e; --accent-ink: #fff; --tint: #fbf3f2; --good: #1d6b3a; }
@media (prefers-color-scheme: dark) { :root { --page: #14161a; --card: #1e2127; --ink: #e8eaee;
  --soft: #a2a9b6; --line: #343944; --accent: #e5645b; --accent-ink: #1a0b0a; --tint: #2a2124;
  --good: #7bd39a; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px 16px;
  background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main { width: 100%; max-width: 500px; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px; padding: 32px; box-shadow: 0 8px 30px rgb(0 0 0 / 6%);
  overflow-wrap: anywhere; }
.brand { display: flex; align-items: center; gap: 10px; color: var(--soft); font-size: 14px;
  margin-bottom: 22px; }
.brand svg { flex: none; }
h1 { font-size: 23px; line-height: 1.3; margin: 0 0 10px; font-weight: 650; text-wrap: balance; }
p { margin: 0 0 14px; }
main > :last-child { margin-bottom: 0; }
.soft { color: var(--soft); font-size: 14.5px; }
ul { list-style: none; margin: 18px 0; padding: 0; border: 1px solid var(--line);
  border-radius: 10px; }
li { padding: 11px 14px; }
li + li { border-top: 1px solid var(--line); }
li b { display: block; font-weight: 600; }
li span { color: var(--soft); font-size: 14px; }
.where { background: var(--tint); border-radius: 10px; padding: 12px 14px; margin: 18px 0 22px;
  font-size: 14.5px; }
.where code { display: block; margin-top: 3px; font-size: 14px;
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.badge { color: var(--good); font-weight: 600; font-size: 14.5px; }
.actions { display: flex; gap: 12px; }
button { flex: 1; font: inherit; font-weight: 600; padding: 11px 16px; border-radius: 9px;
  cursor: pointer; border: 1px solid var(--line); background: transparent; color: var(--ink); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); }
button:hover { filter: brightness(1.06); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (max-width: 420px) { main { padding: 24px 20px; } .actions { flex-direction: column; } }
"""

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

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>$title</title>
<style>$style</style>
</head>
<body>
<main>
<div class="brand"><svg width="26" height="26" viewBox="0 0 26 26" aria-hidden="true">
<path d="M2 20a11 11 0 0 1 22 0h-6a5 5 0 0 0-10 0z" fill="currentColor" opacity=".28"/>
<path d="M2 20a11 11 0 0 1 5-9.2l2.9 5.1A5 5 0 0 0 8 20z" fill="currentColor"/></svg>
<span>Redmine MCP</span></div>
$body
</main>
</body>
</html>
"""
)

_CONSENT = Template(
    """<h1>Let $client use Redmine as you?</h1>
$badge<p class="soft">You will sign in at <b>$redmine</b> next. $client never sees your password,
nor the key that this server is given.</p>
<ul>$permissions</ul>
<div class="where">When you allow it, you are sent back to
<code>$destination</code></div>
<form method="post">
<input type="hidden" name="txn_id" value="$txn_id">
<input type="hidden" name="csrf_token" value="$csrf_token">
<div class="actions">
<button class="primary" type="submit" name="action" value="approve">Allow</button>
<button type="submit" name="action" value="deny">Deny</button>
</div>
</form>"""
)

_PROBLEM = Template('<h1>$heading</h1>\n<p>$message</p>\n<p class="soft">$advice</p>')

NAME_CHARACTERS = 60

_SEES = ("view_", "search_", "browse_")

_EXPLANATIONS = {
    400: "This sign-in has run out or was finished already.",
    403: "This sign-in was begun in another browser, so it was stopped. "
    "That happens when somebody else passed the link on to you.",
    503: "The server cannot reach the store of its sign-ins just now. Try again in a minute.",
}


def consent(
    *,
    client_name: str,
    verified_host: str | None,
    redirect_uri: str,
    redmine_url: str,
    scopes: Sequence[str],
    txn_id: str,
    csrf_token: str,
) -> HTMLResponse:
    """Asks whether a client may act in Redmine as the person, and says what it could do."""
    # It is the client's own word for itself: kept short, so that the address below stays in sight.
    client_name, left_out = shorten(line(client_name), NAME_CHARACTERS)
    client = escape(client_name + ("…" if left_out else ""))
    badge = (
        f'<p class="badge">✓ {escape(verified_host)} vouches for this client</p>'
        if verified_host
        else ""
    )
    return _page(
        f"Let {client_name} use Redmine?",
        _CONSENT.substitute(
            client=client,
            badge=badge,
            redmine=escape(urlsplit(redmine_url).netloc),
            permissions=_permissions(scopes),
            destination=escape(redirect_uri),
            txn_id=escape(txn_id),
            csrf_token=escape(csrf_token),
        ),
    )


def problem(status: int, message: str | None = None) -> HTMLResponse:
    """Says why a sign-in did not come about, and what to do next."""
    explanation = message or _EXPLANATIONS.get(status, "Something failed on the way.")
    return _page(
        "Not signed in",
        _PROBLEM.substitute(
            heading="You are not signed in",
            message=escape(explanation),
            advice="You can close this page and connect again from your client. "
            "Nothing in Redmine was changed.",
        ),
        status,
    )


def _permissions(scopes: Sequence[str]) -> str:
    """Two groups in plain words: what the client could see, and what it could change."""
    seen = [_words(scope) for scope in scopes if scope.startswith(_SEES)]
    changed = [_words(scope) for scope in scopes if not scope.startswith(_SEES)]
    rows = [
        f"<li><b>{heading}</b><span>{escape(', '.join(items))}</span></li>"
        for heading, items in (("It can see", seen), ("It can change", changed))
        if items
    ]
    if not changed:
        rows.append("<li><b>It cannot change anything</b></li>")
    return "".join(rows)


def _words(scope: str) -> str:
    """``view_private_notes`` as "private notes", ``add_issues`` as "add issues"."""
    if scope == "search_project":
        return "search results"
    for prefix in ("view_", "browse_"):
        if scope.startswith(prefix):
            return scope.removeprefix(prefix).replace("_", " ")
    return scope.replace("_", " ")


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    html = _PAGE.substitute(title=escape(title), style=STYLE, body=body)
    return HTMLResponse(html, status_code=status, headers=_HEADERS)
