"""Browser sessions: who is signed in, and the token that protects the forms."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "_redmine_session"


@dataclass(slots=True)
class Session:
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    user_id: int | None = None
    flash: str = ""
    """A sentence for the next page."""


class Sessions:
    """All sessions of one sandbox, by the cookie's value."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def of(self, request: Request) -> Session:
        """The request's session; a new one if it has none."""
        return self._sessions.get(request.cookies.get(COOKIE, "")) or Session()

    def keep(self, session: Session, response: Response) -> Response:
        """Remember a session, and let the browser know it."""
        self._sessions[session.id] = session
        response.set_cookie(COOKIE, session.id, httponly=True, samesite="lax")
        return response

    def forget(self, session: Session) -> None:
        self._sessions.pop(session.id, None)
