"""The HTTP clients: certificates, proxies, redirects, and waiting before a request is repeated."""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from importlib.metadata import version

import httpx2

from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.options import Options

BUSY = frozenset({429, 502, 503, 504})
"""Statuses that ask to come again."""
ATTEMPTS = 4
LONGEST_WAIT = 60.0
"""Seconds; who is to wait longer had better be told."""
_REDIRECTS = 5


def open_client(
    options: Options,
    *,
    auth: httpx2.Auth | None = None,
    headers: Mapping[str, str] | None = None,
    read_timeout: float | None = 30,
) -> httpx2.AsyncClient:
    """A client that trusts ``--ca-bundle`` besides what this machine trusts.

    It takes its proxies from the environment (``HTTPS_PROXY``, ``NO_PROXY``, ...).
    """
    return httpx2.AsyncClient(
        auth=auth,
        headers={"User-Agent": f"redmine-mcp-connect/{version('redmine-mcp-core')}"}
        | dict(headers or {}),
        verify=ssl_context(options),
        timeout=httpx2.Timeout(30, read=read_timeout),
        limits=httpx2.Limits(max_connections=None),
    )


def ssl_context(options: Options) -> ssl.SSLContext | bool:
    """What certificates are checked against; True stands for what this machine trusts."""
    if options.ca_bundle is None:
        return True
    context = ssl.create_default_context()
    try:
        if options.ca_bundle.is_dir():
            context.load_verify_locations(capath=options.ca_bundle)
        else:
            context.load_verify_locations(cafile=options.ca_bundle)
    except OSError as error:
        raise ConnectError(
            f"--ca-bundle {options.ca_bundle} holds no certificate: {error}"
        ) from None
    return context


async def send(
    http: httpx2.AsyncClient, request: httpx2.Request, *, stream: bool = False
) -> httpx2.Response:
    """Send a request, and follow redirects that keep its method and stay at its origin.

    What is on a request, headers and tokens, is meant for the server that was named.
    """
    for _ in range(_REDIRECTS):
        response = await http.send(request, stream=stream, follow_redirects=False)
        following = response.next_request
        if (
            following is None
            or following.method != request.method
            or _origin(following.url) != _origin(request.url)
        ):
            return response
        await response.aread()
        request = following
    return response


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def seconds_to_wait(response: httpx2.Response | None, attempt: int) -> float | None:
    """How long to wait before attempt number ``attempt + 1``; None if not to try again.

    ``Retry-After`` decides (RFC 9110, 10.2.3: seconds, or a date), else it is twice as long each
    time.
    """
    if attempt >= ATTEMPTS:
        return None
    asked = response.headers.get("retry-after") if response is not None else None
    wait = _seconds(asked) if asked else None
    if wait is None:
        return float(0.5 * 2 ** (attempt - 1) * random.uniform(0.75, 1.25))  # noqa: S311 - jitter
    return wait if wait <= LONGEST_WAIT else None


def _seconds(retry_after: str) -> float | None:
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
