"""The pages a person sees: plain HTML, no script, light and dark, in their language.

Each takes the request that it answers, for the language. Every value is escaped.
"""

from __future__ import annotations

from redmine_mcp_core.auth.pages.connections import Connection, connections, signed_out
from redmine_mcp_core.auth.pages.consent import consent, own_sign_in
from redmine_mcp_core.auth.pages.device import (
    device_code,
    device_question,
    device_refused,
    device_signed_in,
)
from redmine_mcp_core.auth.pages.key import key_login
from redmine_mcp_core.auth.pages.names import ClientName
from redmine_mcp_core.auth.pages.permissions import chosen
from redmine_mcp_core.auth.pages.problem import problem

__all__ = [
    "ClientName",
    "Connection",
    "chosen",
    "connections",
    "consent",
    "device_code",
    "device_question",
    "device_refused",
    "device_signed_in",
    "key_login",
    "own_sign_in",
    "problem",
    "signed_out",
]
