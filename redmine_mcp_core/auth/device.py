"""The device flow (RFC 8628): a machine without a browser signs in by way of one that has it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from mcp.server.auth.middleware.client_auth import AuthenticationError, ClientAuthenticator
from mcp.server.auth.provider import TokenError
from mcp.shared.auth import OAuthClientInformationFull
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.answers import NOT_STORED, refused
from redmine_mcp_core.auth.client_metadata import DEVICE_GRANT
from redmine_mcp_core.auth.device_codes import INTERVAL, LIFETIME, DeviceCodes, DeviceRequest
from redmine_mcp_core.auth.session_proxy import SessionProxy, postponing
from redmine_mcp_core.auth.visits import (
    CONNECTIONS,
    SIGNED_IN_TO_DEVICE,
    Visits,
    telling_when_the_store_is_away,
)
from redmine_mcp_core.edge.networks import holder_of, parse_address
from redmine_mcp_core.storage import TokenStore

AUTHORIZATION_PATH = "/device_authorization"
PATH = "/device"

_ERRORS = {
    "authorization_pending": "Nobody has signed in with this code yet.",
    "slow_down": f"Wait {INTERVAL} seconds longer between polls from now on.",
    "access_denied": "The sign-in was refused.",
    "expired_token": "This device code has run out. Ask for another.",
    "invalid_grant": "This device code is unknown, was used, or is another client's.",
}


class DeviceFlow:
    """The endpoint for devices, the pages for people, and the grant that brings them together."""

    def __init__(self, proxy: SessionProxy, visits: Visits, store: TokenStore) -> None:
        self._proxy = proxy
        self._visits = visits
        self._codes = DeviceCodes(store)
        self.grants = {DEVICE_GRANT: self.grant}

    @property
    def entries(self) -> dict[str, Any]:
        """What the server's metadata says of it (RFC 8628, section 4)."""
        return {"device_authorization_endpoint": self._visits.url(AUTHORIZATION_PATH)}

    def routes(self) -> list[Route]:
        told = telling_when_the_store_is_away
        return [
            Route(AUTHORIZATION_PATH, self.authorization, methods=["POST"]),
            Route(PATH, told(self.page), methods=["GET"]),
            Route(PATH, told(self.answer), methods=["POST"]),
            Route(SIGNED_IN_TO_DEVICE, told(self.arrived), methods=["GET"]),
        ]

    # -- For the device ----------------------------------------------------------------------------

    async def authorization(self, request: Request) -> Response:
        """Section 3.1: a code for the device and one for its user."""
        form = await request.form()
        with postponing():
            client = await self._client(request)
            if isinstance(client, Response):
                return client
            scopes = str(form.get("scope") or "").split()
            if beyond := sorted(set(scopes) - set(self._proxy.offered_scopes)):
                return refused("invalid_scope", f"This server does not offer {' '.join(beyond)}.")
            if any(not self._is_ours(str(wanted)) for wanted in form.getlist("resource")):
                return refused("invalid_target", f"Tokens are for {self._proxy.resource_url} only.")
            device_code, asked = await self._codes.ask(
                client.client_id or "", scopes, _address(request) or ""
            )
        page = self._visits.url(PATH)
        return JSONResponse(
            {
                "device_code": device_code,
                "user_code": asked.shown_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={asked.shown_code}",
                "expires_in": LIFETIME,
                "interval": INTERVAL,
            },
            headers=NOT_STORED,
        )

    async def grant(self, request: Request, form: FormData) -> Response:
        """Section 3.4: the device asks whether its user has signed in."""
        with postponing():
            client = await self._client(request)
            if isinstance(client, Response):
                return client
            answer = await self._codes.poll(
                str(form.get("device_code") or ""), client.client_id or ""
            )
        if isinstance(answer, str):
            return refused(answer, _ERRORS[answer])
        return JSONResponse(answer, headers=NOT_STORED)

    async def _client(self, request: Request) -> OAuthClientInformationFull | Response:
        try:
            client = await self._authenticator.authenticate_request(request)
        except AuthenticationError:
            return refused("invalid_client", "This client is not known here.", status=401)
        if DEVICE_GRANT not in client.grant_types:
            return refused(
                "unauthorized_client", f"This client did not register the grant {DEVICE_GRANT}."
            )
        return client

    @cached_property
    def _authenticator(self) -> ClientAuthenticator:
        return self._proxy.client_authenticator()

    def _is_ours(self, resource: str) -> bool:
        return resource.rstrip("/") == self._proxy.resource_url.rstrip("/")

    # -- For its user ------------------------------------------------------------------------------

    async def page(self, request: Request) -> Response:
        """Section 3.3: enter the code; then, or at once by the complete link, make sure of it."""
        entered = request.query_params.get("user_code", "")
        if not entered:
            return self._known(request, pages.device_code(request))
        asked = await self._tried(request, entered)
        if isinstance(asked, Response):
            return self._known(request, asked)
        client = await self._proxy.registered_client(asked.client_id)
        browser = self._visits.browser(request) or self._visits.new_browser()
        question = pages.device_question(
            request,
            client=pages.ClientName.of(asked.client_id, client.client_name if client else None),
            code=asked.shown_code,
            address=asked.address,
            form_token=self._visits.form_token(browser),
        )
        self._visits.remember(question, browser)
        return question

    async def answer(self, request: Request) -> Response:
        """The person made sure, and is sent to sign in; or it is not their device."""
        form = await request.form()
        entered = str(form.get("user_code") or "")
        asked = await self._tried(request, entered)
        if isinstance(asked, Response):
            return asked
        if not self._visits.is_own_form(request, form):
            return RedirectResponse(self._visits.url(f"{PATH}?user_code={asked.shown_code}"), 303)
        if form.get("action") != "confirm":
            await self._codes.answer(asked, None)
            return pages.device_refused(request)
        client = await self._proxy.get_client(asked.client_id)
        if client is None:
            return pages.problem(request, 400, "unknown_client", then="device")
        return await self._visits.begin(
            request,
            client,
            SIGNED_IN_TO_DEVICE,
            asked.scopes,
            about=asked.id,
            shown=asked.shown_code,
        )

    async def arrived(self, request: Request) -> Response:
        """The person comes back from the sign-in."""
        visit = await self._visits.ended(request)
        asked = await self._codes.get(visit.about) if visit else None
        if visit is None or asked is None:
            return pages.problem(request, 400, then="device")
        if "error" in request.query_params:
            await self._codes.answer(asked, None)
            return pages.device_refused(request)
        client = await self._proxy.get_client(visit.client_id)
        if client is None:
            return pages.problem(request, 400, "unknown_client", then="device")
        code = await self._proxy.load_authorization_code(
            client, request.query_params.get("code", "")
        )
        if code is None or not visit.proven_by(code.code_challenge):
            return pages.problem(request, 400, then="device")
        try:
            tokens = await self._proxy.exchange_authorization_code(client, code)
        except TokenError:
            return pages.problem(request, 400, then="device")
        session_id = await self._proxy.session_id_of(tokens.access_token) or ""
        session = await self._proxy.sessions.get(session_id)
        if not await self._codes.answer(asked, tokens.model_dump(mode="json", exclude_none=True)):
            await self._proxy.end_session(session_id, "device_gone")
            return pages.problem(request, 400, then="device")
        return pages.device_signed_in(
            request,
            client=pages.ClientName.of(visit.client_id, client.client_name),
            name=session.login if session else "",
            connections=self._visits.url(CONNECTIONS),
        )

    async def _tried(self, request: Request, entered: str) -> DeviceRequest | Response:
        """The request under a code that somebody entered (section 5.1: tries are counted)."""
        whom = {
            "browser": self._visits.browser(request) or "",
            "address": holder_of(_address(request) or ""),
        }
        if not await self._codes.may_try(**whom):
            return pages.device_code(request, entered=entered, problem="too_many")
        asked = await self._codes.find(entered)
        return asked or pages.device_code(request, entered=entered, problem="unknown")

    def _known(self, request: Request, page: Response) -> Response:
        """The page, for a browser that will be known by its tries."""
        self._visits.remember(page, self._visits.browser(request) or self._visits.new_browser())
        return page


def _address(request: Request) -> str | None:
    """Where a request comes from; None for this machine, which may be a proxy that nobody named."""
    address = parse_address(request.client.host if request.client else "")
    return None if address is None or address.is_loopback else str(address)
