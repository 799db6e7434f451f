"""The sessions of people: who is signed in with which client, since when, and until when.

A session begins with a sign-in and lives on through refreshes. It ends when its tokens are taken
out of the store, which every replica sees at the next request; this module keeps the list beside
them, for people who want to see their connections, for the bounds, and for ending several at once.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, dataclass, replace

from redmine_mcp_core.storage import EncryptedStore, TokenStore

DAY = 86_400
TOUCH_SECONDS = 600
"""How exact "last used" is: one write per session in so many seconds, on each replica."""
LOCK_SECONDS = 10.0

_SESSIONS = "sessions"
_LISTS = "session-lists"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long sessions last, in seconds, and how many a user may have."""

    idle: int = 7 * DAY
    """Without a refresh by the client."""
    absolute: int = 30 * DAY
    per_user: int = 20

    def ends(self, began: float) -> float:
        """When a session that began then ends, whatever happens."""
        return began + self.absolute

    def refreshable_for(self, began: float) -> int:
        """Seconds for which a refresh token issued now is good; 0 or less: the session is over."""
        return int(min(self.idle, self.ends(began) - time.time()))


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    user_id: int
    login: str
    client_id: str
    client_name: str
    scopes: Sequence[str]
    way: str
    """``oauth`` or ``key-login``."""
    began: float
    used: float
    """Unix time, as exact as ``TOUCH_SECONDS``."""


class Sessions:
    """The list of sessions, in the token store."""

    def __init__(self, store: TokenStore, bounds: Bounds, *, redmine_url: str) -> None:
        self._store = store
        self.bounds = bounds
        self._redmine_url = redmine_url

    async def begin(self, session: Session) -> list[Session]:
        """Add a session. Returns the ones that are too many for its user and are to be ended.

        Those not used for longest go: they are most likely of clients that lost their tokens.
        """
        await self._write(session)
        for owner in self._owners(session):
            await self._change(owner, session.id, listed=True)
        of_user = await self.of_user(session.user_id)
        surplus = len(of_user) - self.bounds.per_user
        others = [other for other in of_user if other.id != session.id]
        return sorted(others, key=lambda other: other.used)[: max(0, surplus)]

    async def get(self, session_id: str) -> Session | None:
        record = await self._store.get(session_id, collection=_SESSIONS)
        return Session(**record) if record else None

    async def of_user(self, user_id: int) -> list[Session]:
        """The sessions of a user, the one used last first."""
        return await self._listed(self._user(user_id))

    async def of_client(self, client_id: str) -> list[Session]:
        """The sessions of a client that registered itself."""
        return await self._listed(f"client {client_id}")

    async def touch(self, session_id: str) -> None:
        """Note that a session is in use, now and then. Without it the session drops off the list
        when its tokens have run out."""
        session = await self.get(session_id)
        if session and time.time() - session.used > TOUCH_SECONDS:
            await self._write(replace(session, used=time.time()))

    async def forget(self, session_id: str) -> Session | None:
        """Take a session off the list; the one it was. Ending its tokens is the caller's part."""
        record = await self._store.pop(session_id, collection=_SESSIONS)
        if record is None:
            return None
        session = Session(**record)
        for owner in self._owners(session):
            await self._change(owner, session.id, listed=False)
        return session

    async def _write(self, session: Session) -> None:
        """Keep a record as long as the session's tokens can be good without another ``touch``.

        They are good for the idle bound from a refresh. Each refresh touches, and a touch within
        ``TOUCH_SECONDS`` of the last one writes nothing.
        """
        ends = self.bounds.ends(session.began) - time.time()
        left = min(ends, self.bounds.idle + 2 * TOUCH_SECONDS)
        await self._store.put(session.id, asdict(session), collection=_SESSIONS, ttl=max(left, 1))

    async def _listed(self, owner: str) -> list[Session]:
        record = await self._store.get(owner, collection=_LISTS)
        ids: list[str] = record["ids"] if record else []
        found = await self._store.get_many(ids, collection=_SESSIONS) if ids else []
        live = [Session(**held) for held in found if held]
        return sorted(live, key=lambda session: -session.used)

    async def _change(self, owner: str, session_id: str, *, listed: bool) -> None:
        """List a session or strike it off, and with it those that have run out meanwhile."""
        async with self._store.lock(f"sessions of {owner}", ttl=LOCK_SECONDS):
            others = [held.id for held in await self._listed(owner) if held.id != session_id]
            ids = [*others, session_id] if listed else others
            await self._store.put(owner, {"ids": ids}, collection=_LISTS, ttl=self.bounds.absolute)

    def _owners(self, session: Session) -> list[str]:
        """Under whose names a session is listed. A client that is known by its metadata document
        may have all users of a company, and registered nothing that it could delete."""
        owners = [self._user(session.user_id)]
        if not session.client_id.startswith("https://"):
            owners.append(f"client {session.client_id}")
        return owners

    def _user(self, user_id: int) -> str:
        return f"user {user_id}@{self._redmine_url}"


async def stored_sessions(store: EncryptedStore) -> AsyncIterator[Session]:
    """Every session there is, by a walk through the whole store: for an operator."""
    seen: set[str] = set()
    async for record in store.walk(_SESSIONS):
        session = Session(**record)
        if session.id not in seen:
            seen.add(session.id)
            yield session
