"""The page that takes a person's API key, for a Redmine that has no OAuth of its own.

It stands where Redmine's login stands otherwise: after our consent page, in the same browser, and
before the callback.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

from fastmcp.server.auth.oauth_proxy.models import OAuthTransaction
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.guesses import Guesses, TooManyGuesses
from redmine_mcp_core.auth.key_tokens import KeyTokens
from redmine_mcp_core.redmine import RedmineError
from redmine_mcp_core.seams import OpenOAuthProxy

PATH = "/key"
MAX_KEY = 200
"""Redmine's keys have 40 characters."""


class KeyLogin:
    """Asks for the key, checks it at once, and sends the browser on with a code for it."""

    def __init__(
        self, proxy: OpenOAuthProxy, keys: KeyTokens, guesses: Guesses, redmine_url: str
    ) -> None:
        self._proxy = proxy
        self._keys = keys
        self._guesses = guesses
        self._redmine_url = redmine_url

    def url(self, txn_id: str) -> str:
        return self._proxy.url(f"{PATH}?{urlencode({'txn_id': txn_id})}")

    async def handle(self, request: Request) -> Response:
        txn = await self._proxy.transaction(request.query_params.get("txn_id", ""))
        if txn is None:
            return pages.problem(request, 400)
        if not self._proxy.same_browser(request, txn):
            return pages.problem(request, 403)
        if request.method == "GET":
            return pages.key_login(request, self._redmine_url, txn.txn_id)
        return await self._answer(request, txn)

    async def _answer(self, request: Request, txn: OAuthTransaction) -> Response:
        key = str((await request.form()).get("api_key") or "").strip()
        verifier = txn.proxy_code_verifier
        code = None
        try:
            if verifier and 0 < len(key) <= MAX_KEY:
                ask = partial(self._keys.code, key, txn.scopes, verifier=verifier)
                code = await self._guesses.counted(request, "", ask)
        except TooManyGuesses as error:
            page = pages.problem(request, 429)
            page.headers["Retry-After"] = str(max(1, round(error.seconds)))
            return page
        except RedmineError as error:
            return pages.problem(request, 503, error)
        if code is None:
            return pages.key_login(request, self._redmine_url, txn.txn_id, refused=True)
        query = urlencode({"code": code, "state": txn.txn_id})
        return RedirectResponse(self._proxy.url(f"/auth/callback?{query}"), status_code=303)
