"""A client that signs a person in by hand: each step of OAuth as one plain request."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.forms import Browser

REDIRECT_URI = "http://127.0.0.1:39175/callback"


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str
    scopes: list[str]
    client_id: str


def pkce() -> tuple[str, str]:
    """A verifier and its S256 challenge (RFC 7636)."""
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    return verifier, base64.urlsafe_b64encode(digest).decode().rstrip("=")


async def register(server: str, **metadata: Any) -> str:
    """Register a client (RFC 7591); its id."""
    body = {"client_name": "Test client", "redirect_uris": [REDIRECT_URI], **metadata}
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{server}/register", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["client_id"])


async def log_in_to_redmine(browser: Browser, login: str, password: str) -> None:
    """Redmine's login page and then its consent page, as far as it shows them."""
    if "/login" in browser.url:
        await browser.submit(browser.form("password"), username=login, password=password)
    if not browser.arrived and "/oauth/authorize" in browser.url:
        await browser.submit(browser.form("client_id"))


def authorization_url(server: str, client_id: str, challenge: str, **params: str) -> str:
    """Where a client sends a person to. A parameter that is empty is left out."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": "the-state",
        **params,
    }
    query = {name: value for name, value in query.items() if value}
    return str(httpx.URL(f"{server}/authorize", params=query))


async def ask_to_authorize(
    server: str, client_id: str, challenge: str = "", **params: str
) -> httpx.Response:
    """The answer to an authorization request, to no browser."""
    url = authorization_url(server, client_id, challenge or pkce()[1], **params)
    async with httpx.AsyncClient() as http:
        return await http.get(url)


async def begin(server: str, client_id: str, challenge: str, **params: str) -> tuple[str, str]:
    """A sign-in that a client begins by itself: the consent page's address and its transaction."""
    answer = await ask_to_authorize(server, client_id, challenge, **params)
    consent = answer.headers["location"]
    return consent, parse_qs(urlsplit(consent).query)["txn_id"][0]


async def authorize(
    server: str,
    client_id: str,
    login: str,
    password: str,
    *,
    challenge: str,
    scope: str | None = None,
) -> httpx.URL:
    """Consent here, log in to Redmine, consent there; where the client is sent to."""
    async with Browser(REDIRECT_URI) as browser:
        await browser.visit(authorization_url(server, client_id, challenge, scope=scope or ""))
        if not browser.arrived:
            await browser.submit(browser.form("csrf_token"), action="approve")
            await log_in_to_redmine(browser, login, password)
        assert browser.arrived, f"stopped at {browser.url}:\n{browser.page.text[-1500:]}"
        return browser.arrived


async def redeem(server: str, client_id: str, code: str, verifier: str) -> httpx.Response:
    """Exchange a code for tokens."""
    return await ask_for_tokens(
        server,
        grant_type="authorization_code",
        client_id=client_id,
        code=code,
        redirect_uri=REDIRECT_URI,
        code_verifier=verifier,
    )


async def refresh(server: str, tokens: Tokens) -> httpx.Response:
    return await ask_for_tokens(
        server,
        grant_type="refresh_token",
        client_id=tokens.client_id,
        refresh_token=tokens.refresh,
    )


async def ask_for_tokens(server: str, **form: str) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server}/token", data=form)


def tokens_from(answer: httpx.Response, client_id: str) -> Tokens:
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return Tokens(body["access_token"], body["refresh_token"], body["scope"].split(), client_id)


async def sign_in(
    server: str, login: str = "alice", password: str = "password1234", *, scope: str | None = None
) -> Tokens:
    """The whole way: register, consent, log in, redeem."""
    client_id = await register(server)
    verifier, challenge = pkce()
    arrived = await authorize(server, client_id, login, password, challenge=challenge, scope=scope)
    assert arrived.params["state"] == "the-state"
    return tokens_from(await redeem(server, client_id, arrived.params["code"], verifier), client_id)
