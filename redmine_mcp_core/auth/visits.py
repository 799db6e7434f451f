"""Sign-ins to our own pages, through the door that clients use.

A page of ours that has to know who is looking at it starts an authorization, as a client would:
with a state and PKCE, over the consent page, to Redmine or to the page for the key, and back. So
there is one way of signing in, and one place to get it right.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastmcp.server.auth.oauth_proxy.models import OAuthTransaction
from mcp.server.auth.provider import AuthorizationParams
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.cookies import Cookie, cookie_name
from redmine_mcp_core.auth.proxy_store import TRANSACTION_SECONDS
from redmine_mcp_core.seams import OpenOAuthProxy
from redmine_mcp_core.storage import StoreError, TokenStore

BROWSER_SECONDS = 3600
CONNECTIONS = "/connections"
SIGNED_IN_TO_CONNECTIONS = f"{CONNECTIONS}/signed-in"
SIGNED_IN_TO_DEVICE = "/device/signed-in"
ENDS = (SIGNED_IN_TO_DEVICE, SIGNED_IN_TO_CONNECTIONS)
"""Where visits come back to, below our address."""
OWN_CLIENT_ID = "redmine-mcp:pages"
"""Our own pages as a client: a name that no registration produces, and no address."""

_VISITS = "visits"


@dataclass(frozen=True, slots=True)
class Visit:
    """A sign-in to a page of ours that is under way."""

    path: str
    """Where it comes back to, below our address."""
    client_id: str
    txn_id: str
    verifier: str
    """Of PKCE (RFC 7636)."""
    browser: str
    about: str
    """What the page wants to know again when the person comes back."""
    shown: str
    """The code that the person was shown before, for the consent page."""

    def proven_by(self, challenge: str | None) -> bool:
        """Whether a code with this challenge was asked for by this visit."""
        return hmac.compare_digest(_challenge(self.verifier).encode(), (challenge or "").encode())


class Visits:
    """The visits under way, in the token store, each bound to the browser that began it."""

    def __init__(
        self, proxy: OpenOAuthProxy, store: TokenStore, *, key: bytes, base_url: str
    ) -> None:
        """``key`` signs cookies and forms; ``base_url`` is where people reach this server."""
        self._proxy = proxy
        self._store = store
        self._base_url = base_url
        self._key = key
        self._cookie = self.cookie("mcp-browser", BROWSER_SECONDS)
        self._form_key = hmac.digest(key, b"forms", "sha256")

    # -- Whose browser -----------------------------------------------------------------------------

    def browser(self, request: Request) -> str | None:
        """The browser, as far as it has been here before."""
        return self._cookie.read(request)

    def new_browser(self) -> str:
        return secrets.token_urlsafe(16)

    def remember(self, response: Response, browser: str) -> None:
        """Know the browser again."""
        self._cookie.set(response, browser)

    def form_token(self, browser: str) -> str:
        """What a form of ours carries, so that no other site can have it sent."""
        return hmac.new(self._form_key, browser.encode(), hashlib.sha256).hexdigest()

    def is_own_form(self, request: Request, form: Mapping[str, Any]) -> bool:
        """Whether a form was sent from a page that we gave to this browser."""
        browser = self.browser(request)
        sent = str(form.get("form_token") or "").encode()
        return bool(browser) and hmac.compare_digest(self.form_token(browser or "").encode(), sent)

    # -- Going and coming back ---------------------------------------------------------------------

    async def begin(
        self,
        request: Request,
        client: OAuthClientInformationFull,
        path: str,
        scopes: list[str],
        *,
        about: str = "",
        shown: str = "",
    ) -> Response:
        """Send the person off. They come back to ``path`` with a code for this client."""
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        params = AuthorizationParams(
            state=state,
            scopes=scopes,
            code_challenge=_challenge(verifier),
            redirect_uri=AnyUrl(self.url(path)),
            redirect_uri_provided_explicitly=True,
        )
        consent = await self._proxy.authorize(client, params)
        answer = RedirectResponse(consent, 303)
        (txn_id,) = parse_qs(urlsplit(consent).query)["txn_id"]
        browser = self.browser(request) or self.new_browser()
        self.remember(answer, browser)
        visit = Visit(path, client.client_id or "", txn_id, verifier, browser, about, shown)
        await self._store.put(state, asdict(visit), collection=_VISITS, ttl=TRANSACTION_SECONDS)
        return answer

    async def of(self, txn: OAuthTransaction) -> Visit | None:
        """The visit that an authorization is of; None for a client's own."""
        record = await self._store.get(txn.client_state, collection=_VISITS)
        visit = Visit(**record) if record else None
        return visit if visit and visit.txn_id == txn.txn_id else None

    async def ended(self, request: Request) -> Visit | None:
        """The visit that comes back with this request, once and in its own browser."""
        state = request.query_params.get("state", "")
        record = await self._store.get(state, collection=_VISITS)
        visit = Visit(**record) if record else None
        if visit is None or visit.path != request.url.path:
            return None
        if visit.browser != self.browser(request):
            return None
        return visit if await self._store.pop(state, collection=_VISITS) else None

    def url(self, path: str) -> str:
        """The address of a page of ours."""
        return f"{self._base_url}{path}"

    def cookie(self, name: str, seconds: int) -> Cookie:
        """A cookie for a page of ours."""
        https = self._base_url.startswith("https:")
        name = cookie_name(name, self._base_url)
        return Cookie(name, key=self._key, https=https, seconds=seconds)

    def are_at(self, redirect_uri: str) -> bool:
        """Whether an authorization that ends at this address may be a visit."""
        return redirect_uri in {self.url(path) for path in ENDS}


Page = Callable[[Request], Awaitable[Response]]


def telling_when_the_store_is_away(page: Page) -> Page:
    """The page, or one that says so when the token store cannot be reached."""

    async def told(request: Request) -> Response:
        try:
            return await page(request)
        except StoreError:
            return pages.problem(request, 503)

    return told


def _challenge(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
