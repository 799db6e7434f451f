"""The edge's layers in front of small apps, without a network."""

from __future__ import annotations

from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says what came through: who asks, how, and how much."""
    request = Request(scope, receive)
    told = {
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "bytes": len(await request.body()),
    }
    await JSONResponse(told)(scope, receive, send)


def http_to(app: ASGIApp, *, peer: str = "203.0.113.9", **options: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(peer, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://mcp.example.com", **options)
