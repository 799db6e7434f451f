"""The sandbox's HTML pages: plain, without scripts, and marked as a sandbox."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from starlette.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --accent: #2a6f97; --line: #8886; }
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; }
.ribbon { padding: .5rem 1rem; background: #ffd166; color: #222; text-align: center; }
main { max-width: 34rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; }
label { display: block; margin: 1rem 0 .25rem; font-weight: 600; }
input:not([type=hidden]), button { width: 100%; padding: .6rem .8rem; font: inherit;
  border: 1px solid var(--line); border-radius: .4rem; }
button { margin-top: 1rem; cursor: pointer; }
button.primary { background: var(--accent); border-color: var(--accent); color: #fff; }
ul { columns: 2; padding-left: 1.2rem; }
.problem { padding: .6rem .8rem; border-left: .3rem solid #c1121f; background: #c1121f1a; }
footer { margin-top: 2rem; color: #777; font-size: .9rem; }
"""


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A whole page round a body that is HTML already."""
    return HTMLResponse(
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} - Sandbox Redmine</title>
<style>{STYLE}</style>
</head>
<body>
<div class="ribbon"><strong>Sandbox.</strong> Not a real Redmine: made-up people and issues,
kept in memory only.</div>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
""",
        status_code=status,
        headers={"Cache-Control": "no-store"},
    )


def login_page(action: str, csrf_token: str, back_url: str, problem: str = "") -> HTMLResponse:
    hidden = _hidden({"authenticity_token": csrf_token, "back_url": back_url})
    return page(
        "Sign in",
        f"""{_problem(problem)}
<form method="post" action="{escape(action)}">
{hidden}
<label for="username">Login</label>
<input type="text" name="username" id="username" autocomplete="username" autofocus>
<label for="password">Password</label>
<input type="password" name="password" id="password" autocomplete="current-password">
<button class="primary" type="submit" name="login" value="Login">Login</button>
</form>
<footer>alice, bob, carol and dave sign in with <code>password1234</code>.</footer>""",
    )


def consent_page(
    action: str, csrf_token: str, client: str, scopes: Sequence[str], params: Mapping[str, str]
) -> HTMLResponse:
    """Ask for approval; ``params`` travel in the form as they came."""
    hidden = _hidden({"authenticity_token": csrf_token, **params})
    wishes = "\n".join(f"<li>{escape(scope.replace('_', ' '))}</li>" for scope in scopes)
    return page(
        "Authorization required",
        f"""<p>Authorize <strong>{escape(client)}</strong> to use your account?</p>
<p>This application will be able to:</p>
<ul>
<li>view your name, login and mail address</li>
{wishes}
</ul>
<form method="post" action="{escape(action)}">
{hidden}
<button class="primary" type="submit" name="commit" value="Authorize">Authorize</button>
</form>
<form method="post" action="{escape(action)}">
<input type="hidden" name="_method" value="delete">
{hidden}
<button type="submit" name="commit" value="Deny">Deny</button>
</form>""",
    )


def form_post_page(redirect_uri: str, params: Mapping[str, str]) -> HTMLResponse:
    """Hand an answer on by POST (OAuth 2.0 Form Post Response Mode), at one click."""
    return page(
        "Submit this form",
        f"""<form method="post" action="{escape(redirect_uri)}" name="redirect_form">
{_hidden(params)}
<button class="primary" type="submit">Continue</button>
</form>""",
    )


def error_page(title: str, problem: str, status: int) -> HTMLResponse:
    return page(title, _problem(problem), status)


def _problem(problem: str) -> str:
    return f'<p class="problem" id="errorExplanation">{escape(problem)}</p>' if problem else ""


def _hidden(params: Mapping[str, str]) -> str:
    return "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in params.items()
    )
