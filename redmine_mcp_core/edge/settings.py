"""The settings of the edge: who may come in, how often, and how the server ends.

They are part of ``Settings``, and stand here because there are many of them.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, NonNegativeInt, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode

HeaderKind = Literal["x-forwarded", "forwarded"]


def _split(value: Any) -> Any:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Item = TypeVar("Item")
ListOf = Annotated[list[Item], NoDecode, BeforeValidator(_split)]
"""Written in one line, with commas or spaces between."""
Words = ListOf[str]

MCP_PATH = "/mcp"
"""Where clients speak MCP, below the public address."""


class EdgeSettings(BaseSettings):
    mcp_workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve the port together. More than one need a token store "
        "that processes can share.",
    )
    mcp_tls_cert: Path | None = Field(
        default=None,
        description="Certificate chain (PEM) to serve https with, where no proxy does that. "
        "SIGHUP reads it again.",
    )
    mcp_tls_key: Path | None = Field(
        default=None,
        validate_default=True,
        description="The private key (PEM, not encrypted) of that certificate.",
    )
    mcp_allowed_hosts: Words = Field(
        default=[],
        description="Further names by which clients may call this server, besides that of "
        "`MCP_PUBLIC_URL`: `mcp.internal *.example.com`.",
    )
    mcp_allowed_origins: Words = Field(
        default=[],
        description="Web pages that may call this server from a browser: "
        "`https://inspector.example.com`.",
    )
    mcp_trusted_proxies: Words = Field(
        default=[],
        description="Addresses and networks of the proxies before this server, whose word on "
        "where a request comes from is believed: `10.0.0.0/8 127.0.0.1`.",
    )
    mcp_forwarded_header: HeaderKind = Field(
        default="x-forwarded",
        description="Which headers those proxies set: `x-forwarded` (`X-Forwarded-For` and "
        "`-Proto`) or `forwarded` (RFC 7239). The other kind is never read.",
    )
    mcp_operator_networks: Words = Field(
        default=["127.0.0.0/8", "::1"],
        description="Who may read `/metrics` and the details of `/ready`.",
    )
    mcp_max_requests: int = Field(
        default=400,
        ge=1,
        description="Requests that one process answers at a time. One more is told to come back "
        "(503). Twice as many connections may be open.",
    )
    mcp_request_seconds: float = Field(
        default=300.0, gt=0, description="Seconds after which a request is given up (504)."
    )
    mcp_limit_user: NonNegativeInt = Field(
        default=1200, description="Requests a minute to `/mcp` by one user. 0: no limit."
    )
    mcp_limit_client: NonNegativeInt = Field(
        default=6000,
        description="The same by one MCP client, which all its users may share. 0: no limit.",
    )
    mcp_limit_address: NonNegativeInt = Field(
        default=6000,
        description="Requests a minute from one address, which a whole office or a cloud's "
        "clients may share. 0: no limit.",
    )
    mcp_limit_registration: NonNegativeInt = Field(
        default=20, description="Registrations of clients a minute from one address. 0: no limit."
    )
    mcp_limit_tokens: NonNegativeInt = Field(
        default=300,
        description="Requests a minute to the token endpoints from one address. 0: no limit.",
    )
    mcp_limit_pages: NonNegativeInt = Field(
        default=120,
        description="Requests a minute to the pages of a sign-in from one address. 0: no limit.",
    )
    redmine_max_connections: int = Field(
        default=32, ge=1, le=1000, description="Requests to Redmine at a time, by one process."
    )
    redmine_max_per_user: int = Field(
        default=8,
        ge=1,
        description="Of these, so many for one user. Further ones wait, and nobody else for them.",
    )
    mcp_drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=300,
        description="Seconds between SIGTERM, when `/ready` turns to 503, and the end of "
        "listening: as long as a load balancer needs to notice. Ctrl-C does not wait.",
    )
    mcp_grace_seconds: int = Field(
        default=30,
        ge=0,
        le=3600,
        description="Seconds that requests under way then have to end.",
    )

    @field_validator("mcp_tls_key")
    @classmethod
    def _both_or_none(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if (value is None) != (info.data.get("mcp_tls_cert") is None):
            raise ValueError("and MCP_TLS_CERT must be set together: a key and its certificate")
        return value

    @field_validator("mcp_trusted_proxies", "mcp_operator_networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        for item in value:
            try:
                ip_network(item, strict=False)
            except ValueError:
                raise ValueError(
                    f"holds {item}, which is no address and no network such as 10.0.0.0/8"
                ) from None
        return value
