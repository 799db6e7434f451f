"""What the contract's tests have in common: scopes, sentences, and the shapes of refusals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from .target import APPLICATIONS, Target

CLIENT_ID, CLIENT_SECRET = APPLICATIONS["MCP server"]
READ_SCOPES = (
    "view_project search_project view_members view_issues view_private_notes"
    " view_issue_watchers view_time_entries"
)
DEFAULT_SCOPES = "view_project search_project view_members"
# Nobody ever gets a token for these, so that consent is always asked.
UNGRANTED = "view_project view_news"
VERIFIER = "a-verifier-of-more-than-forty-three-characters-0001"

INVALID_GRANT = (
    "The provided authorization grant is invalid, expired, revoked, does not match the redirection"
    " URI used in the authorization request, or was issued to another client."
)
INVALID_CLIENT = (
    "Client authentication failed due to unknown client, no client authentication included, or"
    " unsupported authentication method."
)
MULTIPLE_METHODS = "The request utilizes more than one mechanism for authenticating the client."
UNSUPPORTED_GRANT = "The authorization grant type is not supported by the authorization server."
INVALID_SCOPE = "The requested scope is invalid, unknown, or malformed."
BASIC = 'Basic realm="Redmine API"'


def bearer_error(code: str, description: str) -> str:
    return f'Bearer realm="Redmine", error="{code}", error_description="{description}"'


def assert_token_error(reply: httpx.Response, status: int, code: str, description: str) -> None:
    """An error of /oauth/token says the same in its body and in its challenge."""
    assert {"error": code, "error_description": description} == reply.json()
    assert status == reply.status_code
    assert bearer_error(code, description) == reply.headers["WWW-Authenticate"]
    assert "no-store" in reply.headers["Cache-Control"]


def assert_revoked(reply: httpx.Response, reason: str = "was revoked") -> None:
    assert (reply.status_code, reply.text) == (401, "")
    challenge = bearer_error("invalid_token", f"The access token {reason}")
    assert challenge == reply.headers["WWW-Authenticate"]
    assert "text/html" in reply.headers["Content-Type"]


def assert_empty(reply: httpx.Response, status: int, challenge: str | None = None) -> None:
    """A refusal of the REST API has no body, and claims to be JSON."""
    assert (status, "") == (reply.status_code, reply.text)
    assert reply.headers["Content-Type"] == "application/json"
    assert challenge == reply.headers.get("WWW-Authenticate")


@contextmanager
def locked(redmine: Target, login: str) -> Iterator[None]:
    redmine.lock(login)
    try:
        yield
    finally:
        redmine.lock(login, locked=False)


def issue(redmine: Target, login: str, number: int, include: str = "") -> dict[str, Any]:
    reply = redmine.as_user(login, f"/issues/{number}.json", include=include)
    shown: dict[str, Any] = reply.raise_for_status().json()["issue"]
    return shown


def ids(records: list[dict[str, Any]]) -> list[int]:
    return [record["id"] for record in records]
