"""Registering a client by hand (RFC 7591), and managing that (RFC 7592)."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.support.servers import Running
from tests.support.sign_in import REDIRECT_URI


async def post(server: Running, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with httpx.AsyncClient() as http:
        return await http.post(f"{server.url}/register", content=content)


async def registered(server: Running, **members: Any) -> dict[str, Any]:
    answer = await post(server, {"redirect_uris": [REDIRECT_URI], **members})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def manage(client: dict[str, Any], method: str, **members: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {client['registration_access_token']}"}
    async with httpx.AsyncClient(headers=headers) as http:
        return await http.request(method, client["registration_client_uri"], json=members or None)
