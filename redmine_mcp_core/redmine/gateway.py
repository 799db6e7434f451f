"""The one place that talks to Redmine over the network: one pool, deadlines, retries."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol, Self, TypeVar

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
from redmine_mcp_core.redmine.breaker import OUTAGE_STATUSES, Breaker, Circuit
from redmine_mcp_core.redmine.errors import (
    BadArgument,
    Busy,
    RateLimited,
    RedmineError,
    ServerError,
    TimedOut,
    Unreachable,
    Unreadable,
)
from redmine_mcp_core.redmine.fairness import BUSY_SECONDS, FairQueue
from redmine_mcp_core.redmine.names import NameCache

MAX_CONNECTIONS = 32
MAX_PER_CALLER = 8
"""Of these connections, so many at a time for one caller."""
MAX_TRIES = 4
CONNECT_TIMEOUT = 5.0
"""Seconds."""
FAIR_SHARE = 0.5
"""Of its time; a request that has less when its turn comes cannot tell a dead Redmine from a slow
question."""
LEAST_SHARE = 0.02
"""With less than that, Redmine is not asked any more."""

_IDS = re.compile(r"/\d+")
_Answer = TypeVar("_Answer")
_Read = Callable[[httpx.Response], Awaitable[_Answer]]
"""Makes an answer of what comes in, or raises ``RedmineError``."""


class Observation(Protocol):
    """One try of a request, as those who watch see it."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What they send along: ids by which it is found again in Redmine's log."""

    def end(self, outcome: str, status: int | None) -> None:
        """``outcome`` is ``ok`` or an error's code; ``status`` is None where no answer came."""


Observe = Callable[[str, str], Observation]
"""Called before each try with its method and its path without ids."""


class _Unobserved:
    headers: Mapping[str, str] = MappingProxyType({})

    def end(self, outcome: str, status: int | None) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Credential:
    """With what we call Redmine for somebody. Its repr shows nothing."""

    header: str
    value: str = field(repr=False)
    owner: str = ""
    """Whose it is, where that is known: what one person asks for in several clients waits in one
    queue."""

    @classmethod
    def bearer(cls, token: str, *, owner: str = "") -> Self:
        return cls("Authorization", f"Bearer {token}", owner)

    @classmethod
    def api_key(cls, key: str, *, owner: str = "") -> Self:
        return cls("X-Redmine-API-Key", key, owner)


@dataclass(frozen=True, slots=True)
class _Call:
    """One request, as often as it may be tried."""

    method: str
    path: str
    credential: Credential | None
    params: Mapping[str, Any]
    json: Any = None
    content: bytes | None = None
    accept: str = "application/json"

    @property
    def writes(self) -> bool:
        """Whether it may change something: then it must not be sent twice."""
        return self.method != "GET"

    @property
    def caller(self) -> str:
        """Whose turn it takes; what the server asks by itself is a caller of its own."""
        return (self.credential.owner or self.credential.value) if self.credential else ""

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Accept": self.accept}
        if self.content is not None:  # Redmine takes a file as nothing else (406)
            headers["Content-Type"] = "application/octet-stream"
        if self.credential:
            headers[self.credential.header] = self.credential.value
        return headers


class Gateway:
    """Requests to one Redmine, through one connection pool, in fair turns of the callers.

    A GET is tried again, with backoff and jitter, until the deadline. Anything else is tried
    again only where no connection came about, so that it cannot have been done already. A Redmine
    that fails again and again is left alone for a while (``breaker.py``).
    """

    def __init__(
        self,
        base_url: str,
        *,
        deadline: float = 30.0,
        backoff: float = 0.2,
        max_connections: int = MAX_CONNECTIONS,
        max_per_caller: int = MAX_PER_CALLER,
        transport: httpx.AsyncBaseTransport | None = None,
        observe: Observe = lambda *_: _Unobserved(),
        on_name: Callable[[bool], None] = lambda _: None,
        on_circuit: Callable[[Circuit], None] = lambda _: None,
    ) -> None:
        """``deadline`` and ``backoff`` are seconds; the deadline spans all tries of a request.

        ``on_name`` is told of each look-up of reference data whether it was kept already.
        """
        self.base_url = base_url.rstrip("/")
        self.names = NameCache(on_name)
        self._deadline = deadline
        self._backoff = backoff
        self._observe = observe
        self._queue = FairQueue(max_connections, min(max_per_caller, max_connections))
        self._breaker = Breaker(on_change=on_circuit)
        self._http = httpx.AsyncClient(
            transport=transport,
            timeout=httpx.Timeout(deadline, connect=min(CONNECT_TIMEOUT, deadline)),
            limits=httpx.Limits(max_connections=max_connections),
            headers={"User-Agent": "redmine-mcp"},
            follow_redirects=False,
        )

    @property
    def circuit(self) -> Circuit:
        """Whether requests pass, or are answered without asking Redmine."""
        return self._breaker.circuit

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
        content: bytes | None = None,
        deadline: float | None = None,
    ) -> dict[str, Any]:
        """The JSON object that Redmine answers with; {} for an empty answer.

        ``content`` is a file to send, in place of ``json``. ``deadline`` is seconds for this
        request, instead of the gateway's own. Raises: ``RedmineError``.
        """
        call = _Call(method, path, credential, params or {}, json, content)
        return await self._retried(call, _json, deadline or self._deadline)

    async def download(
        self, path: str, *, credential: Credential | None = None, limit: int
    ) -> bytes:
        """A file of at most ``limit`` bytes.

        Raises ``BadArgument`` for a larger one, of which no more than that is read, and
        ``RedmineError``.
        """

        async def read(response: httpx.Response) -> bytes:
            if response.status_code != 200:
                await _json(response)
                raise Unreadable
            return await _at_most(response, limit)

        call = _Call("GET", path, credential, {}, accept="*/*")
        return await self._retried(call, read, self._deadline)

    async def _retried(self, call: _Call, read: _Read[_Answer], deadline: float) -> _Answer:
        end = time.monotonic() + deadline
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _may_repeat(error, call)),
            wait=_wait(self._backoff),
            stop=stop_before_delay(deadline) | stop_after_attempt(MAX_TRIES),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                self._breaker.check()
                async with self._queue.turn(call.caller, timeout=end - time.monotonic()):
                    left = end - time.monotonic()
                    if left < deadline * LEAST_SHARE:
                        raise Busy(BUSY_SECONDS)
                    # Who waited long for their turn learns nothing of Redmine by a time-out.
                    with self._breaker.attempt(patient=left >= deadline * FAIR_SHARE):
                        return await self._once(call, read, left)
        raise AssertionError("unreachable: tenacity re-raises the last error")

    async def _once(self, call: _Call, read: _Read[_Answer], seconds_left: float) -> _Answer:
        outcome = "ok"
        status: int | None = None
        observed = self._observe(call.method, _IDS.sub("/:id", call.path))
        try:
            # httpx limits each read by itself; an answer that drips in must end in time as well.
            async with (
                asyncio.timeout(seconds_left),
                self._http.stream(
                    call.method,
                    # Whatever the path is, it is one below ours.
                    f"{self.base_url}/{call.path.lstrip('/')}",
                    params=sansio.query(call.params) or None,
                    json=call.json,
                    content=call.content,
                    headers={**observed.headers, **call.headers},
                    timeout=httpx.Timeout(seconds_left, connect=min(CONNECT_TIMEOUT, seconds_left)),
                ) as response,
            ):
                status = response.status_code
                return await read(response)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            outcome = Unreachable.code
            raise Unreachable from None
        except (httpx.TimeoutException, TimeoutError):
            outcome = TimedOut.code
            raise TimedOut(sent=call.writes) from None
        except httpx.HTTPError:
            outcome = "connection_lost"
            # After the request went out: a write may have been done.
            raise (TimedOut(sent=True) if call.writes else Unreachable()) from None
        except RedmineError as error:
            outcome = error.code
            raise
        except BaseException:
            outcome = "cancelled"
            raise
        finally:
            observed.end(outcome, status)


async def _json(response: httpx.Response) -> dict[str, Any]:
    return sansio.read(response.status_code, response.headers, await response.aread())


async def _at_most(response: httpx.Response, limit: int) -> bytes:
    """The body, which may be larger than its header says."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise BadArgument(f"The file has more than {limit} bytes, which is too much here.")
    return bytes(body)


def _may_repeat(error: BaseException, call: _Call) -> bool:
    if isinstance(error, Unreachable):
        return error.retry_after is None
    if call.writes:
        return False
    return isinstance(error, RateLimited) or (
        isinstance(error, ServerError) and error.status in OUTAGE_STATUSES
    )


def _wait(backoff: float) -> Callable[[RetryCallState], float]:
    exponential = wait_random_exponential(multiplier=backoff, max=5)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        named = error.retry_after if isinstance(error, RedmineError) else None
        return named if named is not None else exponential(state)

    return wait
