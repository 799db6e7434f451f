"""Ways to a Redmine under test: one that can be watched, one that a real Redmine understands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx


@dataclass(slots=True)
class Asked:
    """One request. As a string it is short: ``GET /issues/1.json``."""

    method: str
    path: str
    query: str
    size: int = 0
    """Bytes of the answer's body, decoded; 0 until it has arrived."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Watched(httpx.AsyncBaseTransport):
    """Notes what is asked, and lets a test do something at that very moment.

    ``before`` and ``after`` are awaited with the request as a string. What ``before`` raises is a
    request that did not arrive; what ``after`` raises is an answer that got lost.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.seen: list[Asked] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = Asked(request.method, request.url.path, request.url.query.decode())
        self.seen.append(asked)
        if self.before:
            await self.before(str(asked))
        response = await self.inner.handle_async_request(request)
        asked.size = len(await response.aread())
        if self.after:
            await self.after(str(asked))
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


class KeyTransport(httpx.AsyncHTTPTransport):
    """Asks the Redmine at ``base_url`` with a user's API key in place of the token.

    A Redmine that was not set up for this test has no token of ours; a key is as good, and has
    every scope (``ApplicationController#find_current_user``).
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        super().__init__()
        self._url = httpx.URL(base_url)
        self._key = api_key

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = self._url
        request.url = request.url.copy_with(scheme=url.scheme, host=url.host, port=url.port)
        request.headers["Host"] = url.netloc.decode()
        request.headers.pop("Authorization", None)
        request.headers["X-Redmine-API-Key"] = self._key
        return await super().handle_async_request(request)
