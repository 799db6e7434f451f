"""Whom to ask for a token: from a server's 401 to the metadata of its authorization server.

The steps are those of MCP's authorization specification, read and checked by the SDK's functions:
protected resource metadata (RFC 9728), then authorization server metadata (RFC 8414, or OpenID
Connect discovery); where a server offers neither, the fixed paths of 2025-03-26.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.utils import (
    build_oauth_authorization_server_metadata_discovery_urls,
    build_protected_resource_metadata_discovery_urls,
    create_oauth_metadata_request,
    extract_resource_metadata_from_www_auth,
    handle_auth_metadata_response,
    handle_protected_resource_response,
    issuers_match,
    validate_metadata_issuer,
)
from mcp.shared.auth import OAuthMetadata, ProtectedResourceMetadata
from mcp.shared.auth_utils import check_resource_allowed, resource_url_from_server_url

from redmine_mcp_core.connect.errors import ConnectError, SignInError, Unavailable
from redmine_mcp_core.connect.http import BUSY, send
from redmine_mcp_core.connect.options import Options, checked_url

_ENDPOINTS = (
    "authorization_endpoint token_endpoint registration_endpoint revocation_endpoint "
    "device_authorization_endpoint"
).split()


@dataclass(frozen=True)
class Found:
    """What a server says about signing in to it."""

    resource_metadata: ProtectedResourceMetadata | None
    metadata: OAuthMetadata
    issuer: str
    resource: str | None
    """What to ask a token for (RFC 8707); None where the server would not know."""
    device_endpoint: str | None
    is_guess: bool
    """No metadata was found: the endpoints are where the specification of 2025-03-26 puts them."""


async def discover(
    http: httpx2.AsyncClient, options: Options, challenge: httpx2.Response | None = None
) -> Found:
    """Follow a challenge, or the well-known addresses, to the authorization server.

    Raises:
        SignInError: what was found contradicts itself or is not safe to follow.
        Unavailable: a server could not be asked.
    """
    resource_metadata = await _find_resource(http, options, challenge)
    resource = options.resource
    listed: str | None = None
    if resource_metadata:
        resource = resource or str(resource_metadata.resource)
        listed = str(resource_metadata.authorization_servers[0])
    expected = listed or _origin(options.url)
    addresses = build_oauth_authorization_server_metadata_discovery_urls(listed, options.url)
    for address in addresses:
        response = await _get(http, address, options)
        _, metadata = await handle_auth_metadata_response(response)
        if metadata is None:
            continue
        if listed is None and issuers_match(str(metadata.issuer), expected):
            expected = str(metadata.issuer)
        try:
            validate_metadata_issuer(metadata, expected)
        except OAuthFlowError as error:
            raise SignInError(f"{address}: {error}.") from None
        said = response.json()
        device = said.get("device_authorization_endpoint")
        _check_endpoints(said, options)
        return Found(resource_metadata, metadata, expected, resource, device, is_guess=False)
    if listed:
        raise SignInError(
            f"{listed} has no authorization server metadata at {', '.join(addresses)}."
        )
    return Found(None, _guess(expected), expected, resource, None, is_guess=True)


async def _find_resource(
    http: httpx2.AsyncClient, options: Options, challenge: httpx2.Response | None
) -> ProtectedResourceMetadata | None:
    named = extract_resource_metadata_from_www_auth(challenge) if challenge is not None else None
    for address in build_protected_resource_metadata_discovery_urls(named, options.url):
        response = await _get(http, address, options)
        found = await handle_protected_resource_response(response)
        if found is None:
            continue
        ours = resource_url_from_server_url(options.url)
        theirs = str(found.resource)
        if not options.resource and not check_resource_allowed(ours, theirs):
            raise SignInError(
                f"{address} is about {theirs}, not about {ours}: connect to that address, or say "
                f"--resource {theirs} if you trust it."
            )
        return found
    return None


async def _get(http: httpx2.AsyncClient, address: str, options: Options) -> httpx2.Response:
    """Raises ``Unavailable`` for what says nothing about whether something is there."""
    checked_url(address, allow_http=options.allow_http)
    try:
        response = await send(http, create_oauth_metadata_request(address))
    except httpx2.TransportError as error:
        raise Unavailable(
            f"{address} cannot be reached: {error or type(error).__name__}."
        ) from None
    if response.status_code >= 500 or response.status_code in BUSY:
        raise Unavailable(f"{address} answered {response.status_code}: try again later.")
    return response


def _check_endpoints(said: dict[str, Any], options: Options) -> None:
    for name in _ENDPOINTS:
        try:
            if said.get(name):
                checked_url(str(said[name]), allow_http=options.allow_http)
        except ConnectError as error:
            raise SignInError(f"{name}: {error}") from None
    methods: Sequence[str] | None = said.get("code_challenge_methods_supported")
    if methods and "S256" not in methods:
        raise SignInError(f"{said.get('issuer')} does not know PKCE with S256.")


def _origin(url: str) -> str:
    parsed = httpx2.URL(url)
    return str(parsed.copy_with(path="/", query=None)).rstrip("/")


def _guess(origin: str) -> OAuthMetadata:
    return OAuthMetadata.model_validate(
        {
            "issuer": origin,
            "authorization_endpoint": urljoin(origin, "/authorize"),
            "token_endpoint": urljoin(origin, "/token"),
            "registration_endpoint": urljoin(origin, "/register"),
        }
    )
