"""From settings to the ways in: who is calling, and how Redmine is asked for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from fastmcp.server.auth import AccessToken, AuthProvider
from fastmcp.server.dependencies import get_access_token
from starlette.middleware import Middleware

from redmine_mcp_core.auth import metadata
from redmine_mcp_core.auth.api_keys import KeyVerifier, credential_of
from redmine_mcp_core.auth.caller import Caller
from redmine_mcp_core.auth.guesses import Guesses
from redmine_mcp_core.auth.header import HeaderAuth
from redmine_mcp_core.auth.proxy import RedmineOAuthProxy
from redmine_mcp_core.auth.step_up import StepUp
from redmine_mcp_core.auth.verifier import RedmineTokenVerifier
from redmine_mcp_core.events import Event
from redmine_mcp_core.mcp.index import ComponentIndex
from redmine_mcp_core.mcp.selection import Selection
from redmine_mcp_core.mcp.surface import CALL
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.redmine import Fence, Gateway, OnlyProjects, Redmine
from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import TokenStore
from redmine_mcp_core.tools.current import Identity
from redmine_mcp_core.tools.declaration import ADMIN
from redmine_mcp_core.tools.notebook import Notebook


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How requests are found to be somebody's."""

    auth: AuthProvider
    middleware: Sequence[Middleware]
    """What each request passes once it is known whose it is."""
    callers: Callers


class Callers:
    """Makes the caller of a tool out of a verified token."""

    def __init__(
        self,
        gateway: Gateway,
        store: TokenStore,
        verifier: RedmineTokenVerifier,
        projects: OnlyProjects | None,
    ) -> None:
        self._projects = projects
        self._gateway = gateway
        self._store = store
        self._verifier = verifier

    def identify(self) -> Identity | None:
        """Who makes the present request; None for one that nobody signed in for."""
        token = get_access_token()
        if token is None:
            return None
        claims = token.claims
        caller = Caller(
            user_id=int(token.subject or 0),
            login=str(claims.get("login", "")),
            name=str(claims.get("name", "")),
            scopes=frozenset(token.scopes),
            client_id=token.client_id,
            read_only=bool(claims.get("read_only")),
        )
        notebook = Notebook(self._store, f"{caller.user_id}@{self._gateway.base_url}")
        return Identity(caller, self._redmine(caller, token), notebook)

    def _redmine(self, caller: Caller, token: AccessToken) -> Redmine:
        kind = token.claims.get("credential")
        credential = credential_of(kind, token.token)

        def forget() -> None:
            self._verifier.forget(token.token)
            self._verifier.keys.forget(credential)

        return Redmine(
            self._gateway,
            # What one person asks for in several clients waits in one queue.
            replace(credential, owner=str(caller.user_id)),
            # Redmine itself holds the scopes of its own tokens, and knows none for keys.
            fence=Fence(caller.scopes, caller.read_only) if kind is not None else None,
            projects=self._projects,
            on_unauthorized=forget,
        )


def ways_in(
    settings: Settings,
    *,
    gateway: Gateway,
    store: TokenStore,
    jwt_signing_key: bytes,
    index: ComponentIndex,
    selection: Selection,
    emit: Callable[[Event], None],
) -> WaysIn:
    """The ways in that ``MCP_SIGN_IN`` names; ``emit`` tells those who watch."""
    scopes = scopes_to_ask_for(index, selection, settings.redmine_scopes)
    verifier = RedmineTokenVerifier(gateway, settings.own_client_id, KeyVerifier(gateway))
    projects = OnlyProjects(settings.mcp_projects) if settings.mcp_projects else None
    callers = Callers(gateway, store, verifier, projects)
    if settings.mcp_sign_in == ["header"]:
        header = HeaderAuth(verifier.keys, scopes, Guesses(store), base_url=settings.public_url)
        return WaysIn(header, (), callers)
    proxy = RedmineOAuthProxy(
        settings,
        gateway=gateway,
        store=store,
        verifier=verifier,
        jwt_signing_key=jwt_signing_key,
        scopes=scopes,
        emit=emit,
    )
    return WaysIn(proxy, (_step_up(settings, index, scopes),), callers)


def _step_up(settings: Settings, index: ComponentIndex, obtainable: list[str]) -> Middleware:
    """Challenges a client whose token lacks a scope that it could get."""

    def needs(name: str) -> frozenset[str]:
        tool = index.tools.get(name)
        needed = tool.declaration.scopes if tool else frozenset()
        return needed if needed <= set(obtainable) else frozenset()

    return Middleware(
        StepUp,
        needs=needs,
        resource_metadata=metadata.of_resource(settings.mcp_url),
        calls_another=CALL,
    )


def scopes_to_ask_for(index: ComponentIndex, selection: Selection, ticked: list[str]) -> list[str]:
    """What a sign-in asks Redmine for: what the tools on offer need, as far as the application
    has it."""
    offered = [tool.declaration for tool in index.tools.values()]
    offered = [declaration for declaration in offered if selection.allows(declaration)]
    for declaration in offered:
        if ticked and (lacking := declaration.scopes - set(ticked)):
            log.warning(
                "tool_out_of_scope", tool=declaration.name, not_in_redmine_scopes=sorted(lacking)
            )
    wanted = frozenset().union(*(item.scopes | item.optional_scopes for item in offered))
    return sorted(wanted & set(ticked) if ticked else wanted - {ADMIN})
