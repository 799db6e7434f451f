"""``connect doctor``: what it takes to reach a server and sign in there, from the outside in.

It changes nothing anywhere: it registers no client, opens no browser and refreshes no token.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.request import getproxies, proxy_bypass

import httpx2

from redmine_mcp_core.connect import messages as rpc
from redmine_mcp_core.connect.discovery import Found, discover
from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.http import open_client, send, ssl_context
from redmine_mcp_core.connect.options import Options, is_loopback, read_secret
from redmine_mcp_core.connect.sign_in import ServiceToken
from redmine_mcp_core.connect.vault import Record, Vault

_DAY = 86400
_SOON = 14 * _DAY
_CLOCKS_APART = 60
_OPENING = {
    "protocolVersion": rpc.NEWEST_HANDSHAKE,
    "clientInfo": {"name": "redmine-mcp connect doctor", "version": "1"},
    "capabilities": {},
}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is right, and what to do if not."""

    is_right: bool
    what: str
    advice: str = ""


def right(what: str, advice: str = "") -> Finding:
    return Finding(True, what, advice)


def wrong(what: str, advice: str) -> Finding:
    return Finding(False, what, advice)


async def examine(options: Options) -> AsyncIterator[Finding]:
    """Each finding as soon as it is made; the last one where going on makes no sense."""
    async for finding in _network(options):
        yield finding
        if not finding.is_right:
            return
    async with open_client(options) as http:
        try:
            response = await _knock(http, options, dict(options.headers))
        except httpx2.TransportError as error:
            yield wrong(f"{options.url} does not answer: {error}", "Is the server running?")
            return
        if apart := _clock(response):
            yield apart
        finding = _endpoint(options, response)
        yield finding
        if not finding.is_right:
            return
        if ServiceToken.of(options):
            token = read_secret(options.token_file) if options.token_file else options.token
            yield await _accepted(http, options, token or "", "The service token", "Get a new one.")
            return
        if response.status_code != 401:
            return
        async for finding in _sign_in(http, options, response):
            yield finding


async def _network(options: Options) -> AsyncIterator[Finding]:
    url = httpx2.URL(options.url)
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    proxy = None if is_loopback(url.host) else getproxies().get(url.scheme)
    if proxy and not proxy_bypass(url.host):
        yield right(f"{url.host} is asked through the proxy {httpx2.URL(proxy).host}")
        return
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.host, port, proto=6)
    except OSError as error:
        yield wrong(f"{url.host} has no address: {error.strerror}", "Check the name and your DNS.")
        return
    yield right(f"{url.host} is {found[0][4][0]}")
    context = ssl_context(options) if url.scheme == "https" else None
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection(
                url.host, port, ssl=ssl.create_default_context() if context is True else context
            )
    except ssl.SSLCertVerificationError as error:
        yield wrong(
            f"The certificate of {url.host} is not trusted: {error.verify_message}",
            "Give the certificate of its authority as --ca-bundle, or have it renewed.",
        )
        return
    except (OSError, TimeoutError):
        yield wrong(f"{url.host}:{port} accepts no connection", "Is the server running?")
        return
    certificate = writer.get_extra_info("peercert")
    writer.close()
    if certificate:
        left = ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()
        what = f"The certificate is trusted, for {left / _DAY:.0f} more days"
        yield right(what, "Have it renewed." if left < _SOON else "")
    else:
        yield right(f"{url.host}:{port} accepts connections")


async def _knock(
    http: httpx2.AsyncClient, options: Options, headers: dict[str, str]
) -> httpx2.Response:
    """What the server says to somebody who opens a connection."""
    headers = {"Accept": "application/json, text/event-stream", **headers}
    body = rpc.request("doctor", "initialize", _OPENING)
    response = await send(
        http, http.build_request("POST", options.url, json=body, headers=headers), stream=True
    )
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        await response.aread()
    await response.aclose()
    if session := response.headers.get("mcp-session-id"):
        closing = {**headers, "mcp-session-id": session}
        await send(http, http.build_request("DELETE", options.url, headers=closing))
    return response


def _clock(response: httpx2.Response) -> Finding | None:
    try:
        theirs = parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
    apart = abs(theirs - time.time())
    if apart < _CLOCKS_APART:
        return None
    return wrong(f"The server's clock and ours are {apart:.0f} seconds apart", "Set the clocks.")


def _endpoint(options: Options, response: httpx2.Response) -> Finding:
    status = response.status_code
    if status == 401:
        named = "resource_metadata" in response.headers.get("www-authenticate", "")
        how = "and says where" if named else "but not where: the well-known addresses are tried"
        return right(f"{options.url} wants a sign-in, {how}")
    if response.is_success:
        return right(f"{options.url} answers without a sign-in")
    if status in {400, 406} and "json" in response.headers.get("content-type", ""):
        return right(f"{options.url} speaks MCP, though not {rpc.NEWEST_HANDSHAKE}")
    if response.is_redirect:
        where = response.headers.get("location", "").partition("?")[0]
        return wrong(f"{options.url} has moved", f"Connect to {where}.")
    return wrong(
        f"{options.url} answered {status}",
        "Is this the address of its MCP endpoint? It often ends in /mcp.",
    )


async def _sign_in(
    http: httpx2.AsyncClient, options: Options, challenge: httpx2.Response
) -> AsyncIterator[Finding]:
    try:
        found = await discover(http, options, challenge)
    except ConnectError as error:
        yield wrong(str(error), "Its administrator has to put that right.")
        return
    metadata = found.metadata
    if found.resource_metadata:
        yield right(f"It is the resource {found.resource_metadata.resource}")
    if found.is_guess:
        yield right("It has no OAuth metadata: endpoints as in the MCP of 2025-03-26 are tried")
    else:
        yield right(f"Its authorization server is {found.issuer}")
        if metadata.code_challenge_methods_supported:
            yield right("It knows PKCE with S256")
        else:
            yield wrong(
                "Its metadata names no PKCE method (code_challenge_methods_supported)",
                "Signing in may work all the same; MCP wants it named.",
            )
        ways = ["browser"] + (["device code"] if found.device_endpoint else [])
        revokes = "revokes tokens" if metadata.revocation_endpoint else "revokes no tokens"
        yield right(f"Ways to sign in: {', '.join(ways)}; it {revokes}")
    yield await _registration(http, options, found)
    async for finding in _stored(http, options):
        yield finding


async def _registration(http: httpx2.AsyncClient, options: Options, found: Found) -> Finding:
    if options.client_id:
        return right(f"We are the client {options.client_id}, registered beforehand")
    if options.client_metadata_url and found.metadata.client_id_metadata_document_supported:
        return right(f"We are the client that {options.client_metadata_url} describes")
    advice = "Ask its administrator for a client ID, and give it as --client-id."
    endpoint = found.metadata.registration_endpoint
    if endpoint is None:
        return wrong("It registers no clients by itself", advice)
    # Empty, so that a server which registers us says 400 and keeps nothing.
    response = await send(http, http.build_request("POST", str(endpoint), json={}))
    if response.status_code in {400, 422}:
        return right(f"It registers clients at {endpoint}")
    return wrong(f"{endpoint} answered {response.status_code} to a registration", advice)


async def _stored(http: httpx2.AsyncClient, options: Options) -> AsyncIterator[Finding]:
    vault = Vault(options)
    record: Record = await vault.read()
    if record.tokens is None:
        yield right(f"Nobody is signed in yet; it would be kept in {vault.where}")
        return
    left = (record.tokens.expires_at or 0) - time.time()
    if record.tokens.expires_at and left < 0:
        if record.tokens.refresh:
            yield right(f"The sign-in in {vault.where} has run out, and will be refreshed")
        else:
            again = f"redmine-mcp connect login {options.url}"
            yield wrong(f"The sign-in in {vault.where} has run out", f"Sign in: {again}")
        return
    advice = f"Sign in again: redmine-mcp connect login {options.url}"
    sentence = f"The sign-in in {vault.where}"
    yield await _accepted(http, options, record.tokens.access, sentence, advice)


async def _accepted(
    http: httpx2.AsyncClient, options: Options, token: str, what: str, advice: str
) -> Finding:
    response = await _knock(http, options, {**options.headers, "Authorization": f"Bearer {token}"})
    if response.status_code in {401, 403}:
        return wrong(f"{what} is not accepted", advice)
    return right(f"{what} is accepted")
