"""The way to an address: its name, its port, its certificate."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn

SECONDS = 10.0
"""How long anything that is asked may take."""
DAY = 86_400
SOON = 14 * DAY
"""A certificate that ends sooner is worth a word."""
_PORTS = {"http": 80, "https": 443}
_TRUST = (
    "If its authority is your own, name the file with its certificate as SSL_CERT_FILE; "
    "else have the certificate renewed or put right."
)


async def way_to(url: str) -> AsyncIterator[Finding]:
    """Whether something can be reached at an address; the last finding is a failure if not."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if proxy := _proxy_for(parts.scheme, host):
        yield ok(f"{host} is asked through the proxy {proxy}")
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=6)
    except OSError as error:
        yield fail(
            f"{host} has no address ({error.strerror})",
            "Check the name, and that this machine has a network and a name server.",
        )
        return
    context = httpx.create_ssl_context() if parts.scheme == "https" else None
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except ssl.SSLCertVerificationError as error:
        yield fail(f"The certificate of {host} is not trusted: {error.verify_message}", _TRUST)
        return
    except ssl.SSLError:
        yield fail(
            f"{host}:{port} does not speak TLS",
            "Write http:// if it is meant to be so, else check the port.",
        )
        return
    except TimeoutError:
        yield fail(
            f"{host}:{port} ({found[0][4][0]}) does not answer within {SECONDS:g} seconds",
            "Is a firewall in between?",
        )
        return
    except OSError as error:
        why = error.strerror or "refused"
        yield fail(
            f"{host}:{port} ({found[0][4][0]}) accepts no connection: {why}",
            "Check the port, and whether Redmine is running.",
        )
        return
    certificate = writer.get_extra_info("peercert")
    writer.close()
    if not certificate:
        yield ok(f"{host}:{port} accepts connections")
        return
    left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
    what = f"The certificate of {host} is trusted, for {left / DAY:.0f} more days"
    yield ok(what) if left > SOON else warn(what, "Have it renewed.")


def _proxy_for(scheme: str, host: str) -> str | None:
    """The proxy that httpx would ask, without who we are to it."""
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    parts = urlsplit(proxy)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
