"""One sign-in of a person: as which client, for which scopes, and on which way."""

from __future__ import annotations

import asyncio

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.oauth2 import check_registration_usable
from mcp.client.auth.utils import (
    create_client_registration_request,
    extract_scope_from_www_auth,
    get_client_metadata_scopes,
    handle_registration_response,
    issuers_match,
    should_use_client_metadata_url,
    union_scopes,
)
from mcp.shared.auth import OAuthClientMetadata
from pydantic import AnyUrl

from redmine_mcp_core.connect.callback import Callback, open_callback
from redmine_mcp_core.connect.discovery import Found
from redmine_mcp_core.connect.errors import SignInError, Unavailable
from redmine_mcp_core.connect.grants import DEVICE_GRANT, Asking, by_browser, by_device
from redmine_mcp_core.connect.http import BUSY, send
from redmine_mcp_core.connect.options import Options, checked_url
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.vault import Record, Registration, Tokens, Vault
from redmine_mcp_core.observability.logs import log

_GRANTS = ["authorization_code", "refresh_token"]


async def ask(
    http: httpx2.AsyncClient,
    options: Options,
    person: Person,
    vault: Vault,
    record: Record,
    found: Found,
    challenge: httpx2.Response,
) -> Tokens:
    """Have a person sign in. The registration that was used is left in the record.

    Raises:
        StaleClient: the stored registration is not known any more.
        SignInError: the person refused, or did not come back in time.
    """
    known = record.registration
    if known and known.issuer and not issuers_match(known.issuer, found.issuer):
        log.info("another authorization server", next="registering there")
        record.registration = record.tokens = None
    scope = _scope(options, record, found, challenge)
    port = options.callback_port or _port_of(record.registration) or vault.port
    try:
        async with asyncio.timeout(options.sign_in_timeout), open_callback(port) as callback:
            stored = record.registration
            client = await _client(http, options, found, stored, callback, scope)
            record.registration = client
            asking = Asking(http, found, client, scope)
            if _wants_device(options, person, found):
                return await by_device(asking, person)
            return await by_browser(asking, callback, person, proven=client is not stored)
    except TimeoutError:
        raise SignInError(
            f"Nobody signed in within {options.sign_in_timeout:g} seconds: begin again."
        ) from None


def _wants_device(options: Options, person: Person, found: Found) -> bool:
    """With neither a browser nor a terminal to paste into, a device code is what is left."""
    if options.device:
        return True
    return bool(found.device_endpoint) and not person.uses_browser and not person.has_terminal()


def _scope(
    options: Options, record: Record, found: Found, challenge: httpx2.Response
) -> str | None:
    """What to ask for: what was said, what the challenge names, what the server supports.

    A step-up asks for what is missing besides what was granted, so that nothing is lost.
    """
    wanted = get_client_metadata_scopes(
        extract_scope_from_www_auth(challenge), found.resource_metadata, found.metadata, _GRANTS
    )
    if challenge.status_code == 403:
        granted = record.tokens.scope if record.tokens else None
        return union_scopes(union_scopes(options.scope, granted), wanted)
    return options.scope or wanted


def _port_of(registration: Registration | None) -> int | None:
    return httpx2.URL(registration.redirect_uri or "").port if registration else None


async def _client(
    http: httpx2.AsyncClient,
    options: Options,
    found: Found,
    stored: Registration | None,
    callback: Callback,
    scope: str | None,
) -> Registration:
    """Who we are there: as told, else by our metadata document, else as registered."""
    if options.client_id:
        offered = found.metadata.token_endpoint_auth_methods_supported or []
        basic = "client_secret_basic" if "client_secret_post" not in offered else None
        return Registration(options.client_id, options.client_secret, basic, issuer=found.issuer)
    if options.client_metadata_url and should_use_client_metadata_url(
        found.metadata, options.client_metadata_url
    ):
        return Registration(options.client_metadata_url, issuer=None)
    # Not every server knows that the port of a loopback redirect may change (RFC 8252, 7.3).
    if stored and stored.redirect_uri == callback.redirect_uri:
        return stored
    return await register(http, options, found, callback.redirect_uri, scope)


async def register(
    http: httpx2.AsyncClient, options: Options, found: Found, redirect_uri: str, scope: str | None
) -> Registration:
    """Register as a public client (RFC 7591).

    Raises:
        SignInError: the server lets nobody register, or not like this.
    """
    endpoint = found.metadata.registration_endpoint
    if endpoint is None:
        raise SignInError(
            f"{found.issuer} registers no clients by itself: ask its administrator for a client ID "
            f"with the redirect URI {redirect_uri}, and give it as --client-id."
        )
    checked_url(str(endpoint), allow_http=options.allow_http)
    metadata = OAuthClientMetadata(
        client_name="redmine-mcp connect",
        redirect_uris=[AnyUrl(redirect_uri)],
        grant_types=[*_GRANTS, DEVICE_GRANT] if found.device_endpoint else list(_GRANTS),
        token_endpoint_auth_method="none",  # noqa: S106 - no password
        # A registration limits what may be asked for, and a step-up may need any of them.
        scope=union_scopes(scope, _supported(found)),
    )
    request = create_client_registration_request(found.metadata, metadata, found.issuer)
    try:
        response = await send(http, request)
    except httpx2.TransportError as error:
        raise Unavailable(f"{endpoint} cannot be reached: {error}.") from None
    if response.status_code >= 500 or response.status_code in BUSY:
        raise Unavailable(f"{endpoint} answered {response.status_code}: try again later.")
    try:
        information = await handle_registration_response(response)
        check_registration_usable(information)
    except OAuthFlowError as error:
        raise SignInError(f"{endpoint} does not register us: {error}.") from None
    log.info("registered", issuer=found.issuer)
    return Registration(
        information.client_id,
        information.client_secret,
        information.token_endpoint_auth_method,
        redirect_uri,
        found.issuer,
    )


def _supported(found: Found) -> str | None:
    """All scopes that there are."""
    lists = (
        found.resource_metadata.scopes_supported if found.resource_metadata else None,
        found.metadata.scopes_supported,
    )
    return next((" ".join(scopes) for scopes in lists if scopes), None)
