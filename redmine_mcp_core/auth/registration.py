"""How clients become known: by registering (RFC 7591, RFC 7592) or by a document about themselves.

FastMCP stores whatever is registered, of any size and for ever. These are its routes with bounds,
an end, and a way for a client to change or delete what it registered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from fastmcp.server.auth.oauth_proxy.models import ProxyDCRClient
from fastmcp.server.auth.redirect_validation import is_loopback_host
from mcp.server.auth.provider import AuthorizationCode, RefreshToken
from mcp.server.transport_security import RequestBodyLimitMiddleware
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, request_response

from redmine_mcp_core.auth import name_lookups, pages, redirects
from redmine_mcp_core.auth.answers import NOT_STORED, refused
from redmine_mcp_core.auth.client_metadata import Metadata
from redmine_mcp_core.auth.clients import Client, Clients
from redmine_mcp_core.observability.logs import log
from redmine_mcp_core.seams import DocumentFetcher, OpenOAuthProxy, look_names_up_with
from redmine_mcp_core.storage import TokenStore

PATH = "/register"
MAX_BODY = 65_536
"""Bytes."""
PER_HOUR = 1000
"""Registrations over all replicas and addresses, so that what nobody uses stays below some 24,000
records of a few kilobytes. The bounds per address stand before this."""
HOUR = 3600

Openness = Literal["open", "metadata-documents-only", "closed"]


class RegistrationProxy(OpenOAuthProxy):
    """FastMCP's proxy with registrations that are bounded, run out, and can be managed."""

    def keep_clients(self, clients: Clients, store: TokenStore, openness: Openness) -> None:
        """Where registrations rest, and who may become a client. Call it before anything else."""
        self.clients = clients
        self._counters = store
        self._openness = openness

    async def end_sessions_of_client(self, client_id: str) -> None:
        """End everything that people signed in to with this client."""
        raise NotImplementedError

    # -- Who is a client -----------------------------------------------------------------------

    async def registered_client(self, client_id: str) -> OAuthClientInformationFull | None:
        """A client as it registered itself, or as its metadata document describes it.

        Our own client ID at Redmine is neither: FastMCP would take it for a client with any
        redirect URI.
        """
        if not client_id.startswith("https://"):
            return await self.clients.get(client_id)
        if redirects.problem(client_id):  # an address that could be read as another one
            return None
        if urlsplit(client_id).port not in {None, name_lookups.PORT}:
            return None
        described = await super().registered_client(client_id)
        if not isinstance(described, ProxyDCRClient):
            return None
        return Client(**described.model_dump(exclude={"cimd_document"})).model_copy(
            update={"cimd_document": described.cimd_document}
        )

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        await self._note_use(client)
        return await super().exchange_authorization_code(client, authorization_code)

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        await self._note_use(client)
        return await super().exchange_refresh_token(client, refresh_token, scopes)

    async def _note_use(self, client: OAuthClientInformationFull) -> None:
        if isinstance(client, Client) and client.cimd_document is None:
            await self.clients.note_use(client)

    # -- The routes ----------------------------------------------------------------------------

    def get_routes(self, mcp_path: str | None = None) -> list[Route]:
        self.fetch_documents_with(DocumentFetcher())
        look_names_up_with(name_lookups.look_up)
        if self.client_registration_options:
            self.client_registration_options.enabled = self._openness == "open"
        routes = [
            _with_page(route, self.url("/consent?")) if route.path == "/authorize" else route
            for route in super().get_routes(mcp_path)
            if route.path != PATH
        ]
        if self._openness == "open":
            routes.append(_route(PATH, self._register, "POST"))
        return [*routes, _route(f"{PATH}/{{client_id}}", self._manage, "GET", "PUT", "DELETE")]

    async def _register(self, request: Request) -> Response:
        """RFC 7591, section 3."""
        metadata = self._metadata(await request.body())
        if isinstance(metadata, Response):
            return metadata
        if await self._counters.increment("registrations", window=HOUR) > PER_HOUR:
            log.warning("too_many_registrations", per_hour=PER_HOUR)
            return refused(
                "temporarily_unavailable",
                "Too many clients registered just now.",
                429,
                headers={"Retry-After": str(HOUR)},
            )
        client, token = await self.clients.register(metadata)
        log.info("client_registered", client_id=client.client_id)
        return self._information(client, token, 201)

    async def _manage(self, request: Request) -> Response:
        """RFC 7592, section 2. An unknown client and a wrong token are answered alike."""
        client_id = request.path_params["client_id"]
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        client = await self.clients.get(client_id)
        if client is None or scheme.lower() != "bearer" or not client.is_managed_by(token):
            return JSONResponse(
                {"error": "invalid_token"},
                401,
                {**NOT_STORED, "WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        match request.method:
            case "PUT":
                return await self._change(client, token, await request.body())
            case "DELETE":
                await self._delete(client_id)
                return Response(status_code=204, headers=NOT_STORED)
            case _:
                return self._information(client, token)

    async def _change(self, client: Client, token: str, body: bytes) -> Response:
        metadata = self._metadata(body, client_id=client.client_id)
        if isinstance(metadata, Response):
            return metadata
        changed = await self.clients.change(client.client_id, metadata)
        return self._information(changed or client, token)

    async def _delete(self, client_id: str) -> None:
        """Forget a client and end its sessions; the record goes last, so that this can be repeated
        when the store was away in the middle."""
        await self.end_sessions_of_client(client_id)
        await self.clients.delete(client_id)
        await self.end_sessions_of_client(client_id)
        log.info("client_deleted", client_id=client_id)

    def _metadata(self, body: bytes, client_id: str | None = None) -> Metadata | Response:
        """What a client says of itself, or why it cannot be registered so."""
        try:
            asked = _Request.model_validate_json(body, context={"scopes": self.offered_scopes})
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            name = str(first["loc"][0]) if first["loc"] else "The body"
            code = "redirect_uri" if name == "redirect_uris" else "client_metadata"
            message = first["msg"].removeprefix("Value error, ")
            return refused(f"invalid_{code}", f"{name}: {message}.")
        if client_id is not None and asked.client_id != client_id:
            return refused("invalid_client_metadata", "client_id is not that of this registration.")
        if fault := asked.redirect_problem(self.clients.allowed_redirect_uris):
            return refused("invalid_redirect_uri", fault)
        return asked

    def _information(self, client: Client, token: str, status: int = 200) -> Response:
        """RFC 7592, section 3."""
        return JSONResponse(
            {
                **client.described(),
                "registration_access_token": token,
                "registration_client_uri": self.url(f"{PATH}/{client.client_id}"),
            },
            status,
            NOT_STORED,
        )


class _Request(Metadata):
    client_id: str | None = None
    """Named in a change; at a registration the server chooses it (RFC 7592, section 2.2)."""


def _route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    """A route for clients, some of which run in a browser; it reads no cookie."""
    app = CORSMiddleware(
        RequestBodyLimitMiddleware(request_response(endpoint), MAX_BODY),
        allow_origins=["*"],
        allow_methods=methods,
        allow_headers=["Authorization", "MCP-Protocol-Version"],
    )
    # The app, and not middleware of the route: FastMCP makes a route anew from its endpoint.
    return Route(path, app, methods=[*methods, "OPTIONS"])


def _with_page(route: Route, consent: str) -> Route:
    """The authorization endpoint, which tells a person why they are going nowhere.

    Anybody may register any https address, so an error takes nobody there unasked: else a link to
    us would be one to wherever its author likes (RFC 9700, section 4.11.2). This machine is safe.
    """
    ask: Any = route.endpoint

    async def authorize(request: Request) -> Response:
        for_person = "text/html" in request.headers.get("accept", "")
        try:
            answer: Response = await ask(request)
        except HTTPException as busy:
            if not for_person:
                raise
            page = pages.problem(request, busy.status_code, "client_unasked")
            page.headers.update(busy.headers or {})
            return page
        if not for_person:
            return answer
        if answer.status_code == 400:
            return pages.problem(request, 400, "unknown_client")
        location = answer.headers.get("location", consent)
        target = urlsplit(location)
        stays = location.startswith(consent) or is_loopback_host(target.hostname)
        if target.scheme in {"http", "https"} and not stays:
            return pages.problem(request, 400, "other")
        return answer

    return Route(route.path, authorize, methods=["GET", "POST"])
