"""What the endpoints for machines answer with when the answer is no, or not now."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.authentication import AuthenticationError
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response

from redmine_mcp_core.auth.guesses import TooManyGuesses

NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
RETRY_AFTER = 5
"""Seconds that a client is asked to wait while Redmine or the store cannot be asked."""


def refused(
    error: str, description: str, status: int = 400, *, headers: Mapping[str, str] | None = None
) -> Response:
    """An error answer (RFC 6749, section 5.2; RFC 7591, section 3.2.2)."""
    return JSONResponse(
        {"error": error, "error_description": description},
        status,
        {**NOT_STORED, **(headers or {})},
    )


def cannot_ask(_request: HTTPConnection, error: AuthenticationError) -> Response:
    """The answer where Redmine or the store cannot be asked, or is not: no refusal."""
    if isinstance(error, TooManyGuesses):
        return JSONResponse(
            {
                "error": "too_many_requests",
                "error_description": "Too many wrong keys or passwords came from your network.",
            },
            status_code=429,
            headers={"Retry-After": str(max(1, round(error.seconds)))},
        )
    return JSONResponse(
        {
            "error": "temporarily_unavailable",
            "error_description": "Redmine cannot be asked just now. Keep your tokens, try again.",
        },
        status_code=503,
        headers={"Retry-After": str(RETRY_AFTER)},
    )
