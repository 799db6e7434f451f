"""JSON-RPC messages as they are on the wire, and what tells the two protocol eras apart.

Until 2025-11-25 a connection opens with a handshake; since 2026-07-28 each request says in its
``_meta`` which version it speaks and what the client can do. Messages stay plain dictionaries: what
the bridge does not know, it passes on.
"""

from __future__ import annotations

from typing import Any

Message = dict[str, Any]

MODERN = "2026-07-28"
HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
NEWEST_HANDSHAKE = HANDSHAKE[-1]

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"
SERVER_KEY = "io.modelcontextprotocol/serverInfo"
SUBSCRIPTION_KEY = "io.modelcontextprotocol/subscriptionId"

PARSE_ERROR = -32700
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
CONNECTION_CLOSED = -32000
"""The server was not asked, or said nothing that could be passed on."""

CHANGES = {
    "toolsListChanged": "notifications/tools/list_changed",
    "promptsListChanged": "notifications/prompts/list_changed",
    "resourcesListChanged": "notifications/resources/list_changed",
}
"""What a ``subscriptions/listen`` asks for, and the notification that it brings."""


def is_request(message: Message) -> bool:
    return "method" in message and "id" in message


def is_answer(message: Message) -> bool:
    return "id" in message and "method" not in message


def params_of(message: Message) -> dict[str, Any]:
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def meta_of(message: Message) -> dict[str, Any]:
    meta = params_of(message).get("_meta")
    return meta if isinstance(meta, dict) else {}


def version_in(message: Message) -> str | None:
    """The version that a message of the modern era names; None in the handshake era."""
    version = meta_of(message).get(VERSION_KEY)
    return version if isinstance(version, str) else None


def request(request_id: Any, method: str, params: dict[str, Any] | None = None) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}


def notification(method: str, params: dict[str, Any] | None = None) -> Message:
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}


def result(request_id: Any, value: dict[str, Any]) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def error(request_id: Any, text: str, code: int = INTERNAL_ERROR) -> Message:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": text}}
