"""A whole sign-in in a browser, with all that our server answered; and bare requests for tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

from tests.support.forms import Browser
from tests.support.servers import Running
from tests.support.sign_in import REDIRECT_URI, ask_for_tokens, log_in_to_redmine, pkce, register


@dataclass
class Walk:
    """A whole sign-in, and what our server answered on the way."""

    server: Running
    client_id: str
    answers: list[httpx.Response] = field(default_factory=list)
    arrived: httpx.URL = field(default_factory=httpx.URL)

    @classmethod
    async def to_the_end(cls, server: Running, action: str = "approve") -> Walk:
        walk = cls(server, await register(server.url))
        async with walk.browser() as browser:
            await browser.visit(walk.start())
            await browser.submit(browser.form("csrf_token"), action=action)
            if not browser.arrived:
                await log_in_to_redmine(browser, "alice", "password1234")
            assert browser.arrived
            walk.arrived = browser.arrived
        return walk

    def browser(self, stop: str = REDIRECT_URI) -> Browser:
        browser = Browser(stop)
        browser._http.event_hooks["response"].append(self._note)
        return browser

    def start(self, **params: str) -> str:
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": pkce()[1],
            "code_challenge_method": "S256",
            "state": "the-state",
            **params,
        }
        return str(httpx.URL(f"{self.server.url}/authorize", params=query))

    async def _note(self, answer: httpx.Response) -> None:
        if str(answer.url).startswith(self.server.url):
            self.answers.append(answer)


async def token(server: Running, **form: str) -> httpx.Response:
    return await ask_for_tokens(server.url, **form)
