"""The OAuth endpoints and the sign-in form, over HTTP."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from redmine_mcp_sandbox import pages
from redmine_mcp_sandbox.doorkeeper import ClientCredentials, Doorkeeper
from redmine_mcp_sandbox.oauth_errors import OAuthError, bearer_challenge
from redmine_mcp_sandbox.redirects import add_query
from redmine_mcp_sandbox.rest.caller import presented_token
from redmine_mcp_sandbox.sessions import Session, Sessions
from redmine_mcp_sandbox.world import World

NO_STORE = {"Cache-Control": "no-store"}
CONSENT_FIELDS = (
    "client_id",
    "redirect_uri",
    "state",
    "response_type",
    "response_mode",
    "scope",
    "code_challenge",
    "code_challenge_method",
)


class OAuthRoutes:
    """Doorkeeper's controllers and Redmine's AccountController."""

    def __init__(self, world: World, doorkeeper: Doorkeeper, base_url: str) -> None:
        self.world = world
        self.doorkeeper = doorkeeper
        self.base_url = base_url
        self.sessions = Sessions()

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.login_form, methods=["GET"]),
            Route("/login", self.login, methods=["POST"]),
            Route("/oauth/authorize", self.authorize_form, methods=["GET"]),
            Route("/oauth/authorize", self.authorize, methods=["POST", "DELETE"]),
            Route("/oauth/token", self.token, methods=["POST"]),
            Route("/oauth/revoke", self.revoke, methods=["POST"]),
            Route("/oauth/token/info", self.token_info, methods=["GET"]),
        ]

    async def login_form(self, request: Request) -> Response:
        session = self.sessions.of(request)
        back_url = self._own_path(request.query_params.get("back_url", ""))
        problem, session.flash = session.flash, ""
        answer = pages.login_page(self._url("/login"), session.csrf_token, back_url, problem)
        return self.sessions.keep(session, answer)

    async def login(self, request: Request) -> Response:
        session, params = self.sessions.of(request), await _form(request)
        if not self._is_genuine(session, params):
            return self._forged(session)
        back_url = self._own_path(params.get("back_url", ""))
        user = self.world.user_by_login(params.get("username", ""))
        if user is None or user.password != params.get("password"):
            problem = "Invalid user or password"
            answer = pages.login_page(self._url("/login"), session.csrf_token, back_url, problem)
            return self.sessions.keep(session, answer)
        if user.id in self.world.locked:
            session.flash = "Your account is locked."
            return self.sessions.keep(session, _redirect(self._url("/login")))
        self.sessions.forget(session)
        now = datetime.fromtimestamp(self.doorkeeper.clock(), UTC)
        self.world.last_login_on[user.id] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        welcome = _redirect(self._url(back_url or "/my/page"))
        return self.sessions.keep(Session(user_id=user.id), welcome)

    async def authorize_form(self, request: Request) -> Response:
        session, params = self.sessions.of(request), dict(request.query_params)
        user_id = self._signed_in(session)
        if user_id is None:
            here = self._url(f"/oauth/authorize?{request.url.query}")
            return _redirect(self._url(f"/login?back_url={quote(here, safe='')}"))
        try:
            wish = self.doorkeeper.check_authorization(params)
        except OAuthError as error:
            return _dead_end(error)
        if self.doorkeeper.is_approved(wish, user_id):
            return self._approve(params, user_id)
        # The scopes in the form are the ones on the page, also when the request named none.
        asked = {"scope": " ".join(wish.scopes)}
        sent_back = {name: params[name] for name in CONSENT_FIELDS if name in params} | asked
        answer = pages.consent_page(
            self._url("/oauth/authorize"),
            session.csrf_token,
            wish.application.name,
            wish.scopes,
            sent_back,
        )
        return self.sessions.keep(session, answer)

    async def authorize(self, request: Request) -> Response:
        session, params = self.sessions.of(request), await _form(request)
        if not self._is_genuine(session, params):
            return self._forged(session)
        user_id = self._signed_in(session)
        if user_id is None:
            return _redirect(self._url("/login"))
        denied = request.method == "DELETE" or params.get("_method") == "delete"
        try:
            return self._deny(params) if denied else self._approve(params, user_id)
        except OAuthError as error:
            return _dead_end(error)

    async def token(self, request: Request) -> Response:
        params = await _form(request)
        try:
            token = self.doorkeeper.exchange(params, _credentials(request, params))
        except OAuthError as error:
            return JSONResponse(
                error.body,
                error.status,
                headers={**NO_STORE, "WWW-Authenticate": error.challenge},
                media_type="application/json; charset=utf-8",
            )
        body = {
            "access_token": token.token,
            "token_type": "Bearer",
            "expires_in": round(token.expires_at - token.created_at),
            "refresh_token": token.refresh_token,
            "scope": " ".join(token.scopes),
            "created_at": int(token.created_at),
        }
        return _json(body, headers={**NO_STORE, "Pragma": "no-cache"})

    async def revoke(self, request: Request) -> Response:
        params = await _form(request)
        try:
            self.doorkeeper.revoke(params.get("token", ""), _credentials(request, params))
        except OAuthError as error:
            return _json(error.body, 403)
        return _json({})

    async def token_info(self, request: Request) -> Response:
        presented = presented_token(request)
        token = self.doorkeeper.authenticate(presented) if presented else None
        if token is None or not self.doorkeeper.is_accessible(token):
            description = "The access token is invalid"
            error = {"error": "invalid_token", "error_description": description}
            challenge = bearer_challenge("invalid_token", description)
            return _json(
                {**error, "state": "unauthorized"},
                401,
                {**NO_STORE, "WWW-Authenticate": challenge},
            )
        return _json(
            {
                "resource_owner_id": token.user_id,
                "scope": list(token.scopes),
                "expires_in": round(token.expires_at - self.doorkeeper.clock()),
                "application": {"uid": token.application.uid},
                "created_at": int(token.created_at),
            }
        )

    def _approve(self, params: Mapping[str, str], user_id: int) -> Response:
        wish = self.doorkeeper.check_authorization(params)
        grant = self.doorkeeper.grant(wish, user_id)
        answer = {"code": grant.code, "state": wish.state}
        if wish.form_post:
            return pages.form_post_page(wish.redirect_uri, answer)
        return _redirect(add_query(wish.redirect_uri, answer))

    def _deny(self, params: Mapping[str, str]) -> Response:
        redirect_uri = self.doorkeeper.check_denial(params)
        denial = OAuthError("access_denied").body | {"state": params.get("state", "")}
        return _redirect(add_query(redirect_uri, denial))

    def _signed_in(self, session: Session) -> int | None:
        if session.user_id is None or session.user_id in self.world.locked:
            return None
        return session.user_id

    def _is_genuine(self, session: Session, params: Mapping[str, str]) -> bool:
        return params.get("authenticity_token") == session.csrf_token

    def _forged(self, session: Session) -> Response:
        # Redmine signs the user out as well (ApplicationController#handle_unverified_request).
        self.sessions.forget(session)
        return pages.error_page("422", "Invalid form authenticity token.", 422)

    def _own_path(self, url: str) -> str:
        """The path and query of a URL of ours; of any other, nothing."""
        ours = url.removeprefix(self.base_url)
        parts = urlsplit(ours)
        is_path = ours.startswith("/") and not ours.startswith("//")
        return ours if is_path and not parts.scheme and not parts.netloc else ""

    def _url(self, path: str) -> str:
        return self.base_url + path


def _credentials(request: Request, params: Mapping[str, str]) -> ClientCredentials | None:
    """How the client authenticates itself (RFC 6749, section 2.3.1).

    Raises:
        OAuthError: it does so in two ways, or as two clients.
    """
    found = []
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(encoded).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded = ""
        uid, _, secret = decoded.partition(":")
        found.append(ClientCredentials(uid, secret))
    if params.get("client_id"):
        found.append(ClientCredentials(params["client_id"], params.get("client_secret", "")))
    if sum(bool(one.secret) for one in found) > 1 or len({one.uid for one in found}) > 1:
        raise OAuthError(
            "invalid_request",
            "The request utilizes more than one mechanism for authenticating the client.",
        )
    return found[0] if found else None


async def _form(request: Request) -> dict[str, str]:
    """The parameters of a POST: of its body, form or JSON, over those of its query."""
    params = dict(request.query_params)
    body: Mapping[str, object]
    if "json" in request.headers.get("Content-Type", ""):
        try:
            body = await request.json()
        except ValueError as error:
            raise HTTPException(400) from error
    else:
        body = await request.form()
    return params | {name: value for name, value in body.items() if isinstance(value, str)}


def _dead_end(error: OAuthError) -> Response:
    # Doorkeeper would redirect some errors; Redmine is configured to show them all.
    return pages.error_page("An error has occurred", error.description, error.status)


def _redirect(url: str) -> Response:
    return RedirectResponse(url, 302, headers={"Cache-Control": "no-cache"})


def _json(
    body: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    return JSONResponse(body, status, headers, media_type="application/json; charset=utf-8")
