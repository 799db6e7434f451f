"""The OAuth application in Redmine: what can be found out of it without a person, and with one.

Redmine asks for a login before it looks at what a sign-in asks for, so redirect URI and scopes show
only once somebody signs in. What others were granted so far is the next best thing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn
from redmine_mcp_core.checks.redmine import client
from redmine_mcp_core.settings import Settings

PLACE = "Administration > Applications"


async def credentials(settings: Settings) -> Finding:
    """Whether Redmine knows our client ID, and the secret is right.

    A code that nobody was given tells: Redmine looks at the client first. At a refresh token it
    looks before it looks at the client (measured on 6.1.5, with Doorkeeper 5.9).
    """
    answer = await _token(
        settings, grant_type="authorization_code", code="none", redirect_uri=settings.callback_url
    )
    if answer.get("error") == "invalid_grant":
        return ok("Redmine knows the client ID, and the secret is right")
    if answer.get("error") != "invalid_client":
        return fail(
            f"Redmine's token endpoint answers {answer.get('error', 'something strange')}",
            "Look into the log of Redmine, and of the proxy before it.",
        )
    if settings.redmine_client_secret is None:
        return fail(
            "Redmine does not know REDMINE_CLIENT_ID, or wants its secret",
            f"Compare it with the UID in {PLACE}, and set REDMINE_CLIENT_SECRET.",
        )
    return fail(
        "Redmine knows no application with this REDMINE_CLIENT_ID and REDMINE_CLIENT_SECRET",
        f"Compare the ID with the UID in {PLACE}. If it is the same, the secret is another one: "
        "Redmine shows it once, so where nobody noted it down, make the application anew.",
    )


def granted(
    settings: Settings, scopes: Collection[str], sign_ins: Sequence[tuple[float, Collection[str]]]
) -> Finding:
    """What the sign-ins so far, each when it began and with its scopes, tell of redirect URI and
    scopes."""
    if not sign_ins:
        return warn(
            "Whether the redirect URI and the scopes are right shows at a sign-in, and there "
            "was none yet",
            f"To see it now: redmine-mcp doctor --sign-in. In {PLACE}, the redirect URI has to be "
            f"{settings.callback_url}, with the scopes that redmine-mcp plugins lists.",
        )
    newest = max(began for began, _ in sign_ins)
    when = datetime.fromtimestamp(newest, UTC).strftime("%Y-%m-%d")
    seen = {scope for _, held in sign_ins for scope in held}
    lacking = sorted(set(scopes) - seen)
    if not lacking:
        return ok(f"{_count(sign_ins)} got through, the newest on {when}, with every scope")
    return warn(
        f"{_count(sign_ins)} got through, the newest on {when}, but none with {' '.join(lacking)}",
        f"Tick these in {PLACE}, or name those that are ticked as REDMINE_SCOPES. "
        "To see which it is: redmine-mcp doctor --sign-in",
    )


def _count(sign_ins: Sequence[object]) -> str:
    return "1 sign-in" if len(sign_ins) == 1 else f"{len(sign_ins)} sign-ins"


@dataclass
class Trial:
    """One sign-in of one person, to see whether Redmine lets us; nothing of it stays."""

    settings: Settings
    scopes: Sequence[str]
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def url(self) -> str:
        """The page to open in a browser."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.settings.own_client_id,
            "redirect_uri": self.settings.callback_url,
            "scope": " ".join(sorted(self.scopes)),
            "state": self.state,
            "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        return f"{self.settings.redmine_url}/oauth/authorize?{urlencode(asked)}"

    async def judge(self, address: str) -> Finding:
        """What the address at which the browser ended says; the tokens are revoked at once."""
        answer = dict(parse_qsl(urlsplit(address.strip()).query))
        if answer.get("error") == "access_denied":
            return warn("You denied it, so the redirect URI is right and the rest stays unknown",
                        "Try again, and allow it.")  # fmt: skip
        if answer.get("state") != self.state or "code" not in answer:
            return fail(
                "This is not where the sign-in was to end",
                f"If Redmine showed an error: “redirect uri” means that {PLACE} lacks "
                f"{self.settings.callback_url}, “scope” that a box is not ticked: "
                "redmine-mcp plugins lists them.",
            )
        tokens = await _token(
            self.settings,
            grant_type="authorization_code",
            code=answer["code"],
            redirect_uri=self.settings.callback_url,
            code_verifier=self.verifier,
        )
        if "access_token" not in tokens:
            return fail(
                f"Redmine did not redeem the code ({tokens.get('error', 'no answer')})",
                "Check REDMINE_CLIENT_ID and REDMINE_CLIENT_SECRET, and try again.",
            )
        await _post(self.settings, "/oauth/revoke", token=tokens["access_token"])
        return ok("A sign-in went through: redirect URI, scopes and secret are right")


async def _token(settings: Settings, **form: str) -> dict[str, Any]:
    return await _post(settings, "/oauth/token", **form)


async def _post(settings: Settings, path: str, **form: str) -> dict[str, Any]:
    """The answer as JSON; {} for one that is none. Raises ``httpx.HTTPError``."""
    secret, client_id = settings.redmine_client_secret, settings.own_client_id
    auth = httpx.BasicAuth(client_id, secret.get_secret_value()) if secret else None
    form = form if secret else {**form, "client_id": client_id}
    async with client() as http:
        answer = await http.post(
            f"{settings.redmine_url}{path}", data=form, auth=auth or httpx.USE_CLIENT_DEFAULT
        )
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
