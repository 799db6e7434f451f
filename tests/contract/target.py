"""A Redmine under test, and a browser to sign in to it with."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import uvicorn
from redmine_mcp_sandbox import Sandbox
from starlette.types import Receive, Scope, Send

SEED_FILE = Path(__file__).parents[2] / "plugins/sandbox/redmine_mcp_sandbox/seed.json"
UP = Path(__file__).parents[1] / "real_redmine/up.py"
SEED: dict[str, Any] = json.loads(SEED_FILE.read_text(encoding="utf-8"))
REDIRECT_URI = "http://127.0.0.1:8000/auth/callback"
PASSWORDS = {user["login"]: user["password"] for user in SEED["users"]}
API_KEYS = {user["login"]: user["api_key"] for user in SEED["users"]}
APPLICATIONS = {app["name"]: (app["uid"], app["secret"]) for app in SEED["oauth_applications"]}


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    action: str
    fields: dict[str, str]

    @property
    def is_denial(self) -> bool:
        return self.fields.get("_method") == "delete"


def forms(page: str) -> list[Form]:
    """The POST forms of a page, with their hidden fields."""
    found = []
    for tag, inside in re.findall(r"(<form[^>]*>)(.*?)</form>", page, re.DOTALL):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("method") == "post":
            inputs = (dict(re.findall(r'([\w-]+)="([^"]*)"', i)) for i in _hidden(inside))
            fields = {i["name"]: unescape(i.get("value", "")) for i in inputs}
            found.append(Form(attributes["action"], fields))
    return found


def _hidden(html: str) -> list[str]:
    return re.findall(r'<input type="hidden"[^>]*>', html)


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def client(base_url: str) -> httpx.Client:
    # Loopback speaks no TLS; loading the certificates would cost more than most tests.
    return httpx.Client(base_url=base_url, trust_env=False, verify=False, timeout=20)


@dataclass
class Browser:
    """A browser with its own cookies; it does not follow redirects."""

    base_url: str
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.http = client(self.base_url)

    def sign_in(
        self, login: str, password: str | None = None, back_url: str = ""
    ) -> httpx.Response:
        """Fill in the login form and send it."""
        page = self.http.get("/login", params={"back_url": back_url})
        form = next(form for form in forms(page.text) if form.action.endswith("/login"))
        credentials = {"username": login, "password": password or PASSWORDS[login]}
        return self.http.post(form.action, data={**form.fields, **credentials})

    def ask(self, **params: str) -> httpx.Response:
        return self.http.get("/oauth/authorize", params=params)

    def answer(self, consent_page: httpx.Response, *, deny: bool = False) -> httpx.Response:
        """Press Authorize, or Deny, on the consent page."""
        choices = [f for f in forms(consent_page.text) if "client_id" in f.fields]
        form = next(form for form in choices if form.is_denial == deny)
        return self.http.post(form.action, data=form.fields)


@dataclass
class Stage:
    """Serves one sandbox, and another one when told to."""

    sandbox: Sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.sandbox.app(scope, receive, send)


@dataclass
class Target:
    """A Redmine under test: the sandbox or a real one."""

    base_url: str
    stage: Stage | None = None
    sandbox: Sandbox | None = None
    http: httpx.Client = field(init=False)
    _tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    _browsers: list[Browser] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.http = client(self.base_url)

    def __enter__(self) -> Target:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        for browser in self._browsers:
            browser.http.close()

    def browser(self, login: str | None = None) -> Browser:
        """A new browser, signed in if a login is given."""
        browser = Browser(self.base_url)
        self._browsers.append(browser)
        if login:
            assert browser.sign_in(login).status_code == 302
        return browser

    def authorization(
        self, scope: str, application: str = "MCP server", **more: str
    ) -> dict[str, str]:
        """The parameters of an authorization request."""
        return {
            "response_type": "code",
            "client_id": APPLICATIONS[application][0],
            "redirect_uri": REDIRECT_URI,
            "state": "a state",
            "scope": scope,
            **more,
        }

    def code(self, login: str, scope: str, **more: str) -> str:
        """Walk a user through sign-in and consent, up to the authorization code."""
        browser = self.browser(login)
        page = browser.ask(**self.authorization(scope, **more))
        reply = page if page.status_code == 302 else browser.answer(page)
        return query_of(reply.headers["Location"])["code"]

    def token_request(
        self, application: str | None = "MCP server", **params: str
    ) -> httpx.Response:
        """POST /oauth/token, the client authenticated by HTTP Basic."""
        credentials = APPLICATIONS[application] if application else None
        return self.http.post("/oauth/token", data=params, auth=_basic(credentials))

    def revoke(
        self, token: str, credentials: tuple[str, str] | None = APPLICATIONS["MCP server"]
    ) -> httpx.Response:
        """POST /oauth/revoke, as a client or as nobody."""
        return self.http.post("/oauth/revoke", data={"token": token}, auth=_basic(credentials))

    def exchange(self, code: str, **more: str) -> httpx.Response:
        params = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
        return self.token_request(**params, **more)

    def refresh(self, refresh_token: str, **more: str) -> httpx.Response:
        return self.token_request(grant_type="refresh_token", refresh_token=refresh_token, **more)

    def sign_in(self, login: str, scope: str) -> dict[str, Any]:
        """A whole sign-in: the token response."""
        pair: dict[str, Any] = self.exchange(self.code(login, scope)).raise_for_status().json()
        return pair

    def get(self, path: str, token: str | None = None, **params: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.http.get(path, params=params or None, headers=headers)

    def as_user(self, login: str, path: str, **params: Any) -> httpx.Response:
        """GET with a user's API key."""
        headers = {"X-Redmine-API-Key": API_KEYS[login]}
        return self.http.get(path, params=params or None, headers=headers)

    def with_scopes(self, login: str, scope: str, path: str, **params: Any) -> httpx.Response:
        """GET with a token of just these scopes."""
        return self.get(path, self.token_of(login, scope), **params)

    def send(self, login: str | None, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call as a user, with the API key; bytes are sent as a file, anything else as JSON."""
        headers = {"X-Redmine-API-Key": API_KEYS[login]} if login else {}
        if isinstance(body, bytes):
            headers["Content-Type"] = "application/octet-stream"
            return self.http.request(method, path, content=body, headers=headers)
        return self.http.request(method, path, json=body, headers=headers)

    def send_with_scopes(
        self, login: str, scope: str, method: str, path: str, body: Any = None
    ) -> httpx.Response:
        """Call with a token of just these scopes."""
        headers = {"Authorization": f"Bearer {self.token_of(login, scope)}"}
        return self.http.request(method, path, json=body, headers=headers)

    def token_of(self, login: str, scope: str) -> str:
        """A token of just these scopes; one serves until the next reset."""
        if (login, scope) not in self._tokens:
            self._tokens[login, scope] = self.sign_in(login, scope)["access_token"]
        return self._tokens[login, scope]

    def reset(self) -> None:
        """Begin anew with the seed, which has no tokens."""
        if self.stage is None:
            subprocess.run((sys.executable, UP, "reset"), check=True, capture_output=True)
        else:
            self.sandbox = self.stage.sandbox = Sandbox(self.base_url)
        self._tokens.clear()

    def lock(self, login: str, *, locked: bool = True) -> None:
        """Lock or unlock a user, as an administrator."""
        if self.sandbox is not None:
            (self.sandbox.lock if locked else self.sandbox.unlock)(login)
            return
        user_id = next(user["id"] for user in SEED["users"] if user["login"] == login)
        self.http.put(
            f"/users/{user_id}.json",
            json={"user": {"status": 3 if locked else 1}},
            headers={"X-Redmine-API-Key": API_KEYS["admin"]},
        ).raise_for_status()


def _basic(credentials: tuple[str, str] | None) -> httpx.Auth:
    return httpx.BasicAuth(*credentials) if credentials else httpx.Auth()


def pkce(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636, section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@contextmanager
def serve(app: Any, listener: socket.socket) -> Iterator[None]:
    """Serve an ASGI app on a socket that listens already, for as long as the block lasts."""
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def sandbox_target() -> Iterator[Target]:
    """A fresh sandbox over real HTTP on a free loopback port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sandbox = Sandbox(f"http://127.0.0.1:{listener.getsockname()[1]}")
        stage = Stage(sandbox)
        with serve(stage, listener), Target(sandbox.base_url, stage, sandbox) as target:
            yield target
