"""What FastMCP's authorization server metadata (RFC 8414) does not say of ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp.server.auth.routes import build_resource_metadata_url
from pydantic import AnyHttpUrl
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH = "/.well-known/oauth-authorization-server"


def of_resource(mcp_url: str) -> str:
    """Where the metadata of the MCP endpoint stands: at the root, with its path behind (RFC 9728,
    section 3.1)."""
    return str(build_resource_metadata_url(AnyHttpUrl(mcp_url)))


class ExtendedMetadata:
    """FastMCP's metadata document with entries of ours: lists are prolonged, the rest is set."""

    def __init__(self, entries: Mapping[str, Any], endpoint: ASGIApp) -> None:
        self._entries = entries
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await self._endpoint(scope, receive, send)
            return
        start: Message = {}
        body = b""

        async def collect(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
            else:
                body += message.get("body", b"")

        await self._endpoint(scope, receive, collect)
        document = json.loads(body)
        for name, value in self._entries.items():
            held = document.get(name)
            document[name] = list(dict.fromkeys([*held, *value])) if held else value
        body = json.dumps(document).encode()
        MutableHeaders(raw=start["headers"])["Content-Length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body})
