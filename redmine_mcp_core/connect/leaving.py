"""Sign out: the tokens are revoked at their server (RFC 7009), and forgotten here."""

from __future__ import annotations

from redmine_mcp_core.connect.errors import ConnectError
from redmine_mcp_core.connect.http import open_client
from redmine_mcp_core.connect.options import Options
from redmine_mcp_core.connect.token_endpoint import OAuthRefusal, post_form
from redmine_mcp_core.connect.vault import Record, Vault


async def sign_out(options: Options) -> str:
    """Forget what is stored about a server; what was done, in one sentence.

    Raises:
        ConnectError: forgotten here, but not revoked there.
    """
    vault = Vault(options)
    async with vault.lock():
        record = await vault.read()
        await vault.forget()
    if record.tokens is None:
        return f"Nobody was signed in to {options.url}."
    if record.endpoints is None or record.endpoints.revocation is None:
        return f"Signed out of {options.url}. Its server revokes nothing: the token runs out there."
    problem = await _revoke(options, record, record.endpoints.revocation)
    if problem:
        raise ConnectError(f"Forgotten here, but not revoked at the server: {problem}")
    return f"Signed out of {options.url}: revoked there and forgotten here."


async def _revoke(options: Options, record: Record, address: str) -> str | None:
    tokens, registration = record.tokens, record.registration
    if tokens is None or registration is None:
        return None
    kinds = {"refresh_token": tokens.refresh, "access_token": tokens.access}
    problem = None
    async with open_client(options) as http:
        for kind, token in kinds.items():
            if token is None:
                continue
            form = {"token": token, "token_type_hint": kind}
            try:
                try:
                    await post_form(http, address, registration, form)
                except OAuthRefusal:
                    # The MCP SDK's servers want the field from clients that have no secret, too.
                    await post_form(http, address, registration, form | {"client_secret": ""})
            except ConnectError as error:
                problem = str(error)
    return problem
