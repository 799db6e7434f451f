"""Our own side: the port, the address that clients call, and the proxies before us."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import AsyncIterator
from html import unescape
from urllib.parse import urlsplit

import httpx
from httpx import codes

from redmine_mcp_core.checks.finding import Finding, fail, ok, warn
from redmine_mcp_core.checks.network import way_to
from redmine_mcp_core.checks.redmine import client
from redmine_mcp_core.settings import MCP_PATH, Settings

METADATA = "/.well-known/oauth-protected-resource"
HEALTH_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def port(settings: Settings) -> tuple[Finding, bool]:
    """Whether the port is free, or who listens; and whether that is a server of ours."""
    host, number = settings.mcp_host, settings.mcp_port
    where = f"Port {number} of {host}"
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, number))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return (
                    fail(f"{where} cannot be listened on ({error.strerror})", _other_port(error)),
                    False,
                )
        else:
            return ok(f"{where} is free; no server is running there"), False
    if _is_ours(settings):
        return ok(f"{where} is served by redmine-mcp"), True
    return fail(f"Another program listens on {where.lower()}", "Stop it, or set MCP_PORT."), False


def _other_port(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return "Ports below 1024 take rights: set MCP_PORT to a higher one, behind a proxy."
    return "Set MCP_HOST to an address of this machine."


def _is_ours(settings: Settings) -> bool:
    """By what ``/health`` says; a certificate of our own may be for another name."""
    host = settings.mcp_host
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - it is read only
    scheme = "https" if settings.mcp_tls_cert else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{settings.mcp_port}/health"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        answer = httpx.get(address, timeout=HEALTH_SECONDS, verify=context, trust_env=False)
        return bool(answer.json() == {"status": "alive"})
    except (httpx.HTTPError, ValueError):
        return False


async def public_url(settings: Settings, *, running: bool) -> AsyncIterator[Finding]:
    """Whether what clients call gets to us as it should. Without a server there is little to see.

    The metadata names the address by which the server thinks it is called (RFC 9728, section 3.3).
    """
    url = settings.public_url
    behind = settings.mcp_public_url is not None and not _is_own(settings)
    if behind and not settings.mcp_trusted_proxies:
        yield warn(
            f"{url} is served by a proxy, and none is trusted: all clients count as one address",
            "Name the addresses of the proxies as MCP_TRUSTED_PROXIES.",
        )
    if not running and not behind:
        return
    async for finding in way_to(url):
        if finding.state == "fail" and not running:
            yield warn(
                f"{url} leads nowhere yet: {finding.what}", "Start the server, then ask again."
            )
            return
        yield finding
        if finding.state == "fail":
            return
    async with client() as http:
        try:
            yield await _gets_to_us(http, settings, running=running)
        except httpx.HTTPError as error:
            yield fail(f"{url} breaks off ({type(error).__name__})", "Look into the proxy's log.")


def _is_own(settings: Settings) -> bool:
    """Whether clients call the address that we listen on."""
    parts = urlsplit(settings.public_url)
    return (parts.port or _PORTS[parts.scheme]) == settings.mcp_port and parts.hostname in {
        settings.mcp_host,
        "127.0.0.1",
        "localhost",
        "::1",
    }


async def _gets_to_us(http: httpx.AsyncClient, settings: Settings, *, running: bool) -> Finding:
    parts = urlsplit(settings.mcp_url)
    metadata = f"{parts.scheme}://{parts.netloc}{METADATA}{parts.path}"
    answer = await http.get(metadata)
    if answer.status_code == codes.MISDIRECTED_REQUEST:
        return fail(
            "The proxy calls the server by another name than clients do",
            "Have it pass the Host header on (nginx: proxy_set_header Host $host), or name it in "
            "MCP_ALLOWED_HOSTS.",
        )
    try:
        resource = answer.json().get("resource")
    except (ValueError, AttributeError):
        resource = None
    if resource is None:
        if not running and answer.status_code in {502, 503, 504}:
            return warn(f"The proxy at {settings.public_url} finds no server yet", "Start it.")
        return fail(
            f"{metadata} does not lead to this server (HTTP {answer.status_code})",
            "The proxy must pass every path on, /.well-known included, and not change it.",
        )
    if resource != settings.mcp_url:
        return fail(
            f"The server at {settings.public_url} says that it is {resource}",
            "Another server answers there, or it was started with another MCP_PUBLIC_URL.",
        )
    knock = await http.post(settings.mcp_url, json={})
    if knock.status_code != 401:
        return fail(
            f"{settings.mcp_url} answers {knock.status_code} to a request without a token, not 401",
            f"The proxy must pass POST requests to {MCP_PATH} on as they are.",
        )
    front = await http.get(f"{settings.public_url}/", headers={"Accept": "text/html"})
    if front.status_code == codes.OK and settings.redmine_url not in unescape(front.text):
        return fail(
            f"The server at {settings.public_url} stands before another Redmine",
            "It is that of another set-up, such as redmine-mcp demo: stop it, and start yours.",
        )
    return ok(f"{settings.mcp_url} gets to this server, by the right name")
