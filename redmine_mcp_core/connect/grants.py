"""The two ways a person signs in: the browser (RFC 6749 4.1, PKCE) or a device code (RFC 8628)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx2

from redmine_mcp_core.connect.callback import Callback, read_callback
from redmine_mcp_core.connect.discovery import Found
from redmine_mcp_core.connect.errors import SignInError, StaleClient, Unavailable
from redmine_mcp_core.connect.http import send
from redmine_mcp_core.connect.options import checked_url
from redmine_mcp_core.connect.person import Person
from redmine_mcp_core.connect.token_endpoint import (
    STALE,
    OAuthRefusal,
    post_form,
    read_tokens,
)
from redmine_mcp_core.connect.vault import Registration, Tokens

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_SHORTEST_POLL = 0.05


@dataclass(frozen=True)
class Asking:
    """Who asks whom for what."""

    http: httpx2.AsyncClient
    found: Found
    client: Registration
    scope: str | None

    async def token(self, **form: str) -> Tokens:
        """Redeem something at the token endpoint."""
        extra = {"resource": self.found.resource} if self.found.resource else {}
        answer = await post_form(
            self.http, str(self.found.metadata.token_endpoint), self.client, form | extra
        )
        return read_tokens(answer, scope=self.scope)


async def by_browser(asking: Asking, callback: Callback, person: Person, *, proven: bool) -> Tokens:
    """Let the person sign in, and redeem the code that the browser comes back with.

    ``proven`` says that the registration is fresh; one from an earlier run is tried first, as a
    person can do nothing about the error page of a client that has been forgotten.
    """
    from mcp.client.auth.oauth2 import PKCEParameters

    pkce, state = PKCEParameters.generate(), secrets.token_urlsafe(32)
    query = {
        "response_type": "code",
        "client_id": asking.client.client_id,
        "redirect_uri": callback.redirect_uri,
        "state": state,
        "code_challenge": pkce.code_challenge,
        "code_challenge_method": "S256",
        "resource": asking.found.resource,
        "scope": asking.scope,
        # OpenID Connect Core 11 asks for it.
        "prompt": "consent" if "offline_access" in (asking.scope or "").split() else None,
    }
    endpoint = str(asking.found.metadata.authorization_endpoint)
    address = f"{endpoint}{'&' if '?' in endpoint else '?'}" + urlencode(
        {name: value for name, value in query.items() if value}
    )
    if not proven:
        await _try_out(asking.http, address)
    answer = await _ask(person, callback, address, state)
    _check(answer, asking.found)
    return await asking.token(
        grant_type="authorization_code",
        code=answer["code"],
        redirect_uri=callback.redirect_uri,
        code_verifier=pkce.code_verifier,
    )


async def _try_out(http: httpx2.AsyncClient, address: str) -> None:
    """Raise ``StaleClient`` where the authorization endpoint turns our client down."""
    try:
        response = await send(http, http.build_request("GET", address))
    except httpx2.TransportError as error:
        raise Unavailable(f"The authorization server cannot be reached: {error}.") from None
    answer = read_callback(response.headers.get("location", ""))
    if response.status_code in {400, 401, 403, 404} or answer.get("error") in STALE:
        raise StaleClient("The authorization server does not know this client (any more).")


async def _ask(person: Person, callback: Callback, address: str, state: str) -> Mapping[str, str]:
    """Send the person to the address; they come back by the browser, or paste where it ended."""
    waiting = [asyncio.ensure_future(callback.wait(state))]
    if person.uses_browser:
        person.tell(f"Sign in with your browser. If it does not open, go to:\n\n  {address}\n")
        await person.show(address)
    else:
        person.tell(f"Open this address in any browser and sign in:\n\n  {address}\n")
        if person.has_terminal():
            person.tell(
                "Then paste the address that the browser ends at, even if nothing is there:"
            )
            waiting.append(asyncio.ensure_future(_pasted(person, state)))
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _pasted(person: Person, state: str) -> Mapping[str, str]:
    while True:
        answer = read_callback(await person.read_line())
        if secrets.compare_digest(answer.get("state", "").encode(), state.encode()):
            return answer
        person.tell("That is not where this sign-in ends. Paste the whole address:")


def _check(answer: Mapping[str, str], found: Found) -> None:
    """The answer is from the server that was asked (RFC 9207), and it is a code."""
    from mcp.client.auth import OAuthFlowError
    from mcp.client.auth.utils import validate_authorization_response_iss

    try:
        validate_authorization_response_iss(
            answer.get("iss"), None if found.is_guess else found.metadata
        )
    except OAuthFlowError as error:
        raise SignInError(f"{error}.") from None
    if "error" in answer:
        text = f"Not signed in: {answer.get('error_description') or answer['error']}."
        raise StaleClient(text) if answer["error"] in STALE else SignInError(text)
    if not answer.get("code"):
        raise SignInError("The browser came back without a code: begin again.")


async def by_device(asking: Asking, person: Person) -> Tokens:
    """Let the person sign in on any device, with a short code."""
    endpoint = asking.found.device_endpoint
    if not endpoint:
        raise SignInError(f"{asking.found.issuer} offers no sign-in with a device code.")
    form = {"scope": asking.scope, "resource": asking.found.resource}
    said = await post_form(
        asking.http, endpoint, asking.client, {name: value for name, value in form.items() if value}
    )
    try:
        address, user_code, device_code = (
            str(said[name]) for name in ("verification_uri", "user_code", "device_code")
        )
        interval, lifetime = float(said.get("interval", 5)), float(said.get("expires_in", 600))
    except (KeyError, TypeError, ValueError):
        raise SignInError("The authorization server's device code is incomplete.") from None
    complete = str(said.get("verification_uri_complete") or address)
    for named in (address, complete):
        checked_url(named, allow_http=True)
    person.tell(f"Open {address} on any device and enter the code {user_code}\n\n  {complete}\n")
    if person.uses_browser:
        await person.show(complete)
    return await _poll(asking, device_code, interval, lifetime)


async def _poll(asking: Asking, device_code: str, interval: float, lifetime: float) -> Tokens:
    """Ask until the person has signed in (RFC 8628, 3.5)."""
    deadline = time.monotonic() + lifetime
    while time.monotonic() < deadline:
        await asyncio.sleep(max(interval, _SHORTEST_POLL))
        try:
            return await asking.token(grant_type=DEVICE_GRANT, device_code=device_code)
        except OAuthRefusal as refusal:
            if refusal.code == "slow_down":
                interval += 5
            elif refusal.code != "authorization_pending":
                raise
        except Unavailable:
            interval *= 2
    raise SignInError("The code has expired: begin again.")
