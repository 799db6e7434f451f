"""The endpoints of the authorization server for machines: tokens, introspection, public keys.

They stand in place of FastMCP's, or beside them, and the metadata names them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mcp.server.auth.routes import cors_middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from redmine_mcp_core.auth import client_auth, introspection, metadata, token_endpoint
from redmine_mcp_core.auth.accounts import ServiceAccounts
from redmine_mcp_core.auth.signing import REREAD_SECONDS, Keyring
from redmine_mcp_core.auth.token_endpoint import Grant
from redmine_mcp_core.seams import OpenOAuthProxy

JWKS_PATH = "/.well-known/jwks.json"


def for_machines(
    routes: Sequence[Route],
    proxy: OpenOAuthProxy,
    accounts: ServiceAccounts,
    keyring: Keyring,
    *,
    grants: Mapping[str, Grant],
    entries: Mapping[str, Any],
) -> list[Route]:
    """FastMCP's routes with these endpoints. ``grants`` and ``entries`` are further grant types and
    entries of the metadata document."""
    client_credentials = token_endpoint.client_credentials(accounts, lambda: proxy.resource_url)
    table = {token_endpoint.CLIENT_CREDENTIALS: client_credentials, **grants}
    described = {
        "grant_types_supported": list(table),
        "token_endpoint_auth_methods_supported": list(client_auth.METHODS),
        "introspection_endpoint": proxy.url(introspection.PATH),
        "introspection_endpoint_auth_methods_supported": list(client_auth.METHODS),
        **({"jwks_uri": proxy.url(JWKS_PATH)} if keyring.algorithm != "HS256" else {}),
        **entries,
    }
    ours: dict[str, Callable[[Any], ASGIApp]] = {
        token_endpoint.PATH: partial(token_endpoint.TokenEndpoint, table),
        metadata.PATH: partial(metadata.ExtendedMetadata, described),
    }
    introspect = introspection.introspection_endpoint(proxy, accounts)
    return [
        *(
            Route(route.path, ours[route.path](route.endpoint), methods=list(route.methods or ()))
            if route.path in ours
            else route
            for route in routes
        ),
        Route(introspection.PATH, introspect, methods=["POST"]),
        Route(JWKS_PATH, cors_middleware(_jwks(keyring), ["GET", "OPTIONS"]), methods=["GET"]),
    ]


def _jwks(keyring: Keyring) -> Any:
    async def jwks(_request: Request) -> Response:
        await keyring.ready()
        keys = keyring.jwks()
        if not keys["keys"]:
            return Response(status_code=404)
        # A new key signs later than any copy of this is kept.
        return JSONResponse(keys, headers={"Cache-Control": f"public, max-age={REREAD_SECONDS}"})

    return jwks
