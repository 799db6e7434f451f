"""``/connections``: a person sees which clients are connected as them, and disconnects them.

The page knows people by an ordinary sign-in with the least permission there is, whose Redmine token
is revoked at once: what is left is a cookie that opens this page for a quarter of an hour.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from mcp.shared.auth import OAuthClientInformationFull
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.digests import digest_of
from redmine_mcp_core.auth.identity import IDENTITY
from redmine_mcp_core.auth.session_proxy import SessionProxy
from redmine_mcp_core.auth.sessions import Session
from redmine_mcp_core.auth.visits import (
    CONNECTIONS,
    OWN_CLIENT_ID,
    SIGNED_IN_TO_CONNECTIONS,
    Visits,
    telling_when_the_store_is_away,
)
from redmine_mcp_core.storage import TokenStore

SECONDS = 900
"""How long the page goes on to know a person."""

_READERS = "connections-readers"
_LEAST = ("view_project", "search_project", "view_members", "view_issues")
"""Permissions in the order of how little they tell. Redmine grants the first three to anybody
(``Redmine::AccessControl``, public permissions); who has signed in, it tells with any of them."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who looks at their connections."""

    user_id: int
    login: str
    name: str
    form_token: str


def least(offered: Sequence[str]) -> list[str]:
    """The smallest scope to sign in with. Never an empty one: Redmine takes that for every
    permission."""
    views = [scope for scope in offered if scope.startswith("view_")]
    known = [scope for scope in _LEAST if scope in offered]
    return [*known, *views, *offered][:1]


class Connections:
    """The page, its sign-in, and its buttons."""

    def __init__(self, proxy: SessionProxy, visits: Visits, store: TokenStore) -> None:
        self._proxy = proxy
        self._visits = visits
        self._store = store
        self._cookie = visits.cookie("mcp-connections", SECONDS)

    def routes(self) -> list[Route]:
        told = telling_when_the_store_is_away
        return [
            Route(CONNECTIONS, told(self.page), methods=["GET"]),
            Route(CONNECTIONS, told(self.answer), methods=["POST"]),
            Route(SIGNED_IN_TO_CONNECTIONS, told(self.arrived), methods=["GET"]),
        ]

    async def page(self, request: Request) -> Response:
        reader = await self._reader(request)
        if reader is None:
            own = OAuthClientInformationFull(client_id=OWN_CLIENT_ID, redirect_uris=None)
            return await self._visits.begin(
                request, own, SIGNED_IN_TO_CONNECTIONS, least(self._proxy.offered_scopes)
            )
        return pages.connections(
            request,
            name=reader.name,
            login=reader.login,
            form_token=reader.form_token,
            held=[_shown(session) for session in await self._live(reader)],
            ended="ended" in request.query_params,
        )

    async def arrived(self, request: Request) -> Response:
        """The person comes back from the sign-in, and is known from now on."""
        visit = await self._visits.ended(request)
        if visit is not None and "error" in request.query_params:
            return pages.problem(request, 403, "denied", then="connections")
        code = request.query_params.get("code", "")
        issued = await self._proxy.issued_code(code) if visit else None
        if visit is None or issued is None or issued.client_id != visit.client_id:
            return pages.problem(request, 400, then="connections")
        if not visit.proven_by(issued.code_challenge):
            return pages.problem(request, 400, then="connections")
        await self._proxy.forget_code(code)
        await self._proxy.revoke_upstream(issued.idp_tokens["access_token"])
        who = issued.idp_tokens[IDENTITY]
        reader = Reader(who["user_id"], who["login"], who["name"], secrets.token_urlsafe(32))
        answer = RedirectResponse(self._visits.url(CONNECTIONS), 303)
        await self._remember(answer, reader)
        return answer

    async def answer(self, request: Request) -> Response:
        """One of the buttons: disconnect one, or all, or leave."""
        reader, form = await self._reader(request), await request.form()
        sent = str(form.get("form_token") or "")
        if reader is None or not hmac.compare_digest(sent.encode(), reader.form_token.encode()):
            return RedirectResponse(self._visits.url(CONNECTIONS), 303)
        if form.get("sign_out"):
            return await self._forget(request)
        handle = str(form.get("disconnect") or "")
        for session in await self._live(reader):
            if form.get("all") or hmac.compare_digest(_handle(session).encode(), handle.encode()):
                await self._proxy.end_session(session.id, "disconnected")
        return RedirectResponse(self._visits.url(f"{CONNECTIONS}?ended"), 303)

    async def _live(self, reader: Reader) -> list[Session]:
        """The sessions of this person and nobody else that have not run out."""
        sessions = await self._proxy.sessions.of_user(reader.user_id)
        return [session for session in sessions if await self._proxy.upstream_tokens(session.id)]

    async def _reader(self, request: Request) -> Reader | None:
        reader_id = self._cookie.read(request)
        record = (
            await self._store.get(digest_of(reader_id), collection=_READERS) if reader_id else None
        )
        return Reader(**record) if record else None

    async def _remember(self, answer: Response, reader: Reader) -> None:
        reader_id = secrets.token_urlsafe(32)
        await self._store.put(
            digest_of(reader_id), asdict(reader), collection=_READERS, ttl=SECONDS
        )
        self._cookie.set(answer, reader_id)

    async def _forget(self, request: Request) -> Response:
        await self._store.delete(digest_of(self._cookie.read(request) or ""), collection=_READERS)
        answer = pages.signed_out(request)
        self._cookie.clear(answer)
        return answer


def _shown(session: Session) -> pages.Connection:
    return pages.Connection(
        handle=_handle(session),
        client=pages.ClientName.of(session.client_id, session.client_name),
        scopes=session.scopes,
        way=session.way,
        began=session.began,
        used=session.used,
    )


def _handle(session: Session) -> str:
    """What a form calls a session by: its id is for the server only."""
    return digest_of(f"handle {session.id}")[:32]
