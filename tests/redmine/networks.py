"""A network that does as it is told, and a gateway to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx

from redmine_mcp_core.redmine import Gateway

URL = "https://redmine.example.com"
Outcome = httpx.Response | Exception


class Script(httpx.AsyncBaseTransport):
    """A network that does as it is told: one outcome for each request, the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes: Sequence[Outcome] = outcomes
        self.seen: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        outcome = self.outcomes[min(len(self.seen), len(self.outcomes) - 1)]
        self.seen.append(request)
        if isinstance(outcome, Exception):
            raise outcome
        return httpx.Response(outcome.status_code, headers=outcome.headers, content=outcome.content)


def ok() -> httpx.Response:
    return httpx.Response(200, json={"ok": 1})


def gateway(transport: httpx.AsyncBaseTransport, **options: Any) -> Gateway:
    return Gateway(URL, transport=transport, **{"backoff": 0.001, "deadline": 5.0, **options})
