"""The one place that talks to Redmine over the network: one pool, deadlines, retries."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from redmine_mcp_core.redmine import sansio
from redmine_mcp_core.redmine.errors import (
    RateLimited,
    RedmineError,
    ServerError,
    TimedOut,
    Unreachable,
)
from redmine_mcp_core.redmine.names import NameCache

MAX_CONNECTIONS = 32
MAX_TRIES = 4
CONNECT_TIMEOUT = 5.0
"""Seconds."""
RETRY_STATUSES = frozenset({502, 503, 504})
"""A proxy's words for "not now". A plain 500 is Redmine's own failure and comes again."""

_IDS = re.compile(r"/\d+")

Observer = Callable[[str, str, str, float], None]
"""Called after each request with method, path without ids, outcome and seconds."""


@dataclass(frozen=True, slots=True)
class Credential:
    """With what we call Redmine for somebody. Its repr shows nothing."""

    header: str
    value: str = field(repr=False)

    @classmethod
    def bearer(cls, token: str) -> Self:
        return cls("Authorization", f"Bearer {token}")

    @classmethod
    def api_key(cls, key: str) -> Self:
        return cls("X-Redmine-API-Key", key)


class Gateway:
    """Requests to one Redmine, through one connection pool.

    A GET is tried again, with backoff and jitter, until the deadline. Anything else is tried
    again only where no connection came about, so that it cannot have been done already.
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline: float = 30.0,
        backoff: float = 0.2,
        transport: httpx.AsyncBaseTransport | None = None,
        observe: Observer = lambda *_: None,
    ) -> None:
        """``deadline`` and ``backoff`` are seconds; the deadline spans all tries of a request."""
        self.base_url = base_url.rstrip("/")
        self.names = NameCache()
        self._deadline = deadline
        self._backoff = backoff
        self._observe = observe
        self._http = httpx.AsyncClient(
            base_url=self.base_url,
            transport=transport,
            timeout=httpx.Timeout(deadline, connect=min(CONNECT_TIMEOUT, deadline)),
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            headers={"Accept": "application/json", "User-Agent": "redmine-mcp"},
            follow_redirects=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def request(
        self,
        method: str,
        path: str,
        *,
        credential: Credential | None = None,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        deadline: float | None = None,
    ) -> dict[str, Any]:
        """The JSON object that Redmine answers with; {} for an empty answer.

        ``deadline`` is seconds for this request, instead of the gateway's own.
        Raises: ``RedmineError``.
        """
        deadline = deadline or self._deadline
        end = time.monotonic() + deadline
        repeatable = method == "GET"
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _may_repeat(error, repeatable)),
            wait=_wait(self._backoff),
            stop=stop_before_delay(deadline) | stop_after_attempt(MAX_TRIES),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                seconds_left = end - time.monotonic()
                return await self._once(method, path, credential, params, json, seconds_left)
        raise AssertionError("unreachable: tenacity re-raises the last error")

    async def _once(
        self,
        method: str,
        path: str,
        credential: Credential | None,
        params: Mapping[str, Any] | None,
        json: Any,
        seconds_left: float,
    ) -> dict[str, Any]:
        outcome, started = "ok", time.monotonic()
        try:
            # httpx limits each read by itself; an answer that drips in must end in time as well.
            async with asyncio.timeout(seconds_left):
                response = await self._http.request(
                    method,
                    path,
                    params=sansio.query(params or {}),
                    json=json,
                    headers={credential.header: credential.value} if credential else {},
                    timeout=httpx.Timeout(seconds_left, connect=min(CONNECT_TIMEOUT, seconds_left)),
                )
            return sansio.read(response.status_code, response.headers, response.content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            outcome = Unreachable.code
            raise Unreachable from None
        except (httpx.TimeoutException, TimeoutError):
            outcome = TimedOut.code
            raise TimedOut(sent=method != "GET") from None
        except httpx.HTTPError:
            outcome = "connection_lost"
            raise _connection_lost(method) from None
        except RedmineError as error:
            outcome = error.code
            raise
        finally:
            self._observe(method, _IDS.sub("/:id", path), outcome, time.monotonic() - started)


def _connection_lost(method: str) -> RedmineError:
    """A connection that broke after the request went out: a write may have been done."""
    return Unreachable() if method == "GET" else TimedOut(sent=True)


def _may_repeat(error: BaseException, repeatable: bool) -> bool:
    if isinstance(error, Unreachable):
        return True
    if not repeatable:
        return False
    return isinstance(error, RateLimited) or (
        isinstance(error, ServerError) and error.status in RETRY_STATUSES
    )


def _wait(backoff: float) -> Callable[[RetryCallState], float]:
    exponential = wait_random_exponential(multiplier=backoff, max=5)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        named = error.retry_after if isinstance(error, RateLimited | ServerError) else None
        return named if named is not None else exponential(state)

    return wait
