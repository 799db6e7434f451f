"""What a client may say of itself when it registers (RFC 7591, section 2).

Anybody may register, so each member is small and checked here, before anything is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from redmine_mcp_core.auth import redirects

CODE_GRANT = "authorization_code"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
GRANTS = (CODE_GRANT, "refresh_token", DEVICE_GRANT)
"""What a client that registers itself may use. A grant beyond these is left out of the answer."""


def _https_or_nothing(value: Any) -> str | None:
    """Addresses that only adorn a client. One that is no https address is left out."""
    text = str(value)
    fine = len(text) <= redirects.MAX_CHARACTERS and text.isprintable()
    return text if fine and text.startswith("https://") and urlsplit(text).hostname else None


Address = Annotated[str | None, BeforeValidator(_https_or_nothing)]
Word = Annotated[str, Field(max_length=200)]
Words = Annotated[list[Word], Field(max_length=20)]


class Metadata(BaseModel):
    """The members that are kept; others are ignored.

    The server may leave out or replace what it does not do (section 3.2.1), and its answer shows
    what was registered; only what would break the client later is refused.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    redirect_uris: Annotated[list[str], Field(max_length=20)] = []
    grant_types: Words = [CODE_GRANT, "refresh_token"]
    response_types: Words = ["code"]
    token_endpoint_auth_method: Word = "none"  # noqa: S105 - no password
    application_type: Literal["native", "web"] = "native"
    scope: Annotated[str, Field(max_length=4000)] | None = None
    client_name: Word | None = None
    client_uri: Address = None
    logo_uri: Address = None
    tos_uri: Address = None
    policy_uri: Address = None
    contacts: Words | None = None
    software_id: Word | None = None
    software_version: Word | None = None

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, members: Any) -> Any:
        if not isinstance(members, dict):
            return members
        return {name: value for name, value in members.items() if value not in (None, "")}

    @field_validator("token_endpoint_auth_method")
    @classmethod
    def _public(cls, asked: str) -> str:
        """Every client that registers itself is a public one: PKCE proves it (RFC 7636)."""
        if asked == "private_key_jwt":
            raise ValueError("of a client with a key is for client ID metadata documents")
        return "none"

    @field_validator("response_types")
    @classmethod
    def _code(cls, asked: list[str]) -> list[str]:
        """The implicit grant is not offered (RFC 9700, section 2.1.2)."""
        if "code" not in asked:
            raise ValueError("must include code")
        return ["code"]

    @field_validator("scope")
    @classmethod
    def _offered(cls, asked: str | None, info: ValidationInfo) -> str | None:
        offered = (info.context or {}).get("scopes", ())
        kept = [scope for scope in (asked or "").split() if scope in offered]
        if asked and not kept:
            raise ValueError("names no scope that this server offers")
        return " ".join(kept) or None

    @field_validator("grant_types")
    @classmethod
    def _grants(cls, asked: list[str]) -> list[str]:
        if not {CODE_GRANT, DEVICE_GRANT} & set(asked):
            raise ValueError(f"must include {CODE_GRANT}")
        return [grant for grant in GRANTS if grant in asked]

    def redirect_problem(self, allowed: Sequence[str]) -> str | None:
        """What is wrong with the redirect URIs, in a sentence; None if nothing is."""
        if not self.redirect_uris and CODE_GRANT in self.grant_types:
            return "redirect_uris is missing."
        for number, uri in enumerate(self.redirect_uris, 1):
            fault = redirects.problem(uri, allowed=allowed, application_type=self.application_type)
            if fault:
                return f"Redirect URI {number} {fault}."
        return None

    def members(self) -> dict[str, Any]:
        """All of them, by name."""
        return self.model_dump(include=set(Metadata.model_fields))
