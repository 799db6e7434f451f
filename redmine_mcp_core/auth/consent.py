"""What stands between a person and a client: our consent page, and what the person made of it.

Redmine approves silently after the first grant, so this page is all there is. FastMCP does its
tokens and cookies; the words, the choice of permissions and of the way in are ours.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response

from redmine_mcp_core.auth import pages
from redmine_mcp_core.auth.cookies import cookie_name
from redmine_mcp_core.auth.key_login import KeyLogin
from redmine_mcp_core.auth.proxy_store import TRANSACTION_SECONDS
from redmine_mcp_core.auth.visits import OWN_CLIENT_ID, Visits
from redmine_mcp_core.seams import CSRF_TOKEN, OpenOAuthProxy


class ConsentProxy(OpenOAuthProxy):
    """FastMCP's proxy with a consent page of ours."""

    def keep_consent(
        self, visits: Visits, key_login: KeyLogin, ways: list[str], redmine_url: str
    ) -> None:
        """What the page needs to know. Call it before anything else."""
        self.visits = visits
        self._key_login = key_login
        self._ways = [way for way in ways if way != "header"]
        self._redmine_url = redmine_url

    def may_send_back_to(self, redirect_uri: str) -> bool:
        return self.visits.are_at(redirect_uri) or super().may_send_back_to(redirect_uri)

    def cookie_name(self, name: str) -> str:
        return cookie_name(name, str(self.base_url))

    async def consent_page(self, request: Request) -> Response:
        page = await super().consent_page(request)
        csrf_token = CSRF_TOKEN.search(bytes(page.body).decode())
        txn = await self.transaction(request.query_params.get("txn_id", ""))
        if page.status_code != 200 or csrf_token is None or txn is None:
            return pages.problem(request, page.status_code if page.status_code >= 400 else 400)
        about: dict[str, Any] = {
            "ways": self._ways,
            "redmine_url": self._redmine_url,
            "txn_id": txn.txn_id,
            "csrf_token": csrf_token[1],
        }
        if txn.client_id == OWN_CLIENT_ID:
            ours = pages.own_sign_in(request, **about)
        else:
            client = await self.registered_client(txn.client_id)
            visit = await self.visits.of(txn)
            ours = pages.consent(
                request,
                client=pages.ClientName.of(txn.client_id, client.client_name if client else None),
                redirect_uri=txn.client_redirect_uri,
                scopes=txn.scopes,
                device_code=visit.shown if visit else "",
                **about,
            )
        for cookie in page.headers.getlist("set-cookie"):
            ours.headers.append("set-cookie", cookie)
        return ours

    async def consent_answer(self, request: Request) -> Response:
        """What the person chose: all of it, only to read, or some permissions; and which way in."""
        form = await request.form()
        txn = await self.transaction(str(form.get("txn_id") or ""))
        approves = txn is not None and form.get("action") == "approve"
        chosen = pages.chosen(form, txn.scopes) if txn and approves else []
        if approves and not chosen:
            return pages.problem(request, 400, "nothing_allowed")
        answer = await super().consent_answer(request)
        if answer.status_code >= 400:
            return pages.problem(request, answer.status_code)
        if txn is None or not approves:
            return answer
        # From here on it is known that the form is ours and this browser's.
        if chosen != txn.scopes:
            await self._narrow(txn.txn_id, chosen)
            address = httpx.URL(answer.headers["location"])
            answer.headers["location"] = str(address.copy_set_param("scope", " ".join(chosen)))
        if self._by_key(form.get("way")):
            answer.headers["location"] = self._key_login.url(txn.txn_id)
        return answer

    async def _narrow(self, txn_id: str, scopes: list[str]) -> None:
        """What Redmine grants beyond these scopes is refused when the person comes back."""
        txn = await self.transaction(txn_id)
        if txn is not None:
            left = max(1.0, txn.created_at + TRANSACTION_SECONDS - time.time())
            await self.keep_transaction(txn.model_copy(update={"scopes": scopes}), ttl=left)

    def _by_key(self, chosen: Any) -> bool:
        return "key-login" in self._ways and (chosen == "key-login" or "oauth" not in self._ways)
