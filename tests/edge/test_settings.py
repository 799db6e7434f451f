"""Settings of the edge that cannot work are told before anything listens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from redmine_mcp_core.settings import Settings, SettingsError, load_settings


def settings(**values: Any) -> Settings:
    known = {
        "redmine_url": "https://redmine.example.com",
        "redmine_client_id": "client",
        "redmine_client_secret": "s" * 32,
        "_env_file": None,
    }
    return load_settings(**known, **values)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"mcp_trusted_proxies": "10.0.0.0/33"}, "MCP_TRUSTED_PROXIES holds 10.0.0.0/33, which"),
        ({"mcp_operator_networks": "localhost"}, "MCP_OPERATOR_NETWORKS holds localhost, which"),
        ({"mcp_tls_cert": "cert.pem"}, "MCP_TLS_KEY and MCP_TLS_CERT must be set together"),
        ({"mcp_tls_key": "key.pem"}, "MCP_TLS_KEY and MCP_TLS_CERT must be set together"),
        (
            {"mcp_workers": 2, "token_store_url": "memory:"},
            "TOKEN_STORE_URL must name a store that processes can share",
        ),
        ({"mcp_host": "0.0.0.0"}, "MCP_PUBLIC_URL must be an https address"),
    ],
)
def test_what_cannot_work_is_one_sentence(values: dict[str, Any], sentence: str) -> None:
    """It names the setting, and says what to do."""
    with pytest.raises(SettingsError) as wrong:
        settings(**values)

    assert len(wrong.value.problems) == 1
    assert sentence in wrong.value.problems[0]


def test_tls_makes_the_public_url_https() -> None:
    """Also for a server that others reach without a proxy."""
    pair = {"mcp_tls_cert": Path("cert.pem"), "mcp_tls_key": Path("key.pem")}

    assert settings(**pair, mcp_host="192.0.2.1").public_url == "https://192.0.2.1:8000"


def test_lists_are_words() -> None:
    """Separated by spaces or commas, as in all other settings."""
    given = settings(mcp_trusted_proxies="10.0.0.0/8, 192.0.2.1", mcp_allowed_hosts="a b")

    assert given.mcp_trusted_proxies == ["10.0.0.0/8", "192.0.2.1"]
    assert given.mcp_allowed_hosts == ["a", "b"]
