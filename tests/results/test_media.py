"""A result that carries pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import httpx
from mcp_types import ImageContent, TextContent

from redmine_mcp_core import Image, Plugin, Result
from redmine_mcp_core.testing import client_for

plugin = Plugin()


class Drawing(Result):
    name: str

    def text(self) -> str:
        return f"drawing {self.name}"

    def media(self) -> Sequence[Image]:
        return [Image(b"GIF89a", "image/gif"), Image(b"\x89PNG", "image/png")]


@plugin.tool(title="Draw", scopes=set(), read_only=True)
async def draw() -> Drawing:
    """Draw something."""
    return Drawing(name="a cat")


async def test_pictures_follow_the_text() -> None:
    """In their order and with their types; the structured content stays small."""
    network = httpx.MockTransport(lambda _: httpx.Response(200, json={}))
    async with client_for(plugin, redmine=network, token="token") as client:
        result = await client.call_tool("draw", {})

    text, *images = result.content
    assert isinstance(text, TextContent)
    assert text.text == "drawing a cat"
    seen = [
        (one.mime_type, base64.b64decode(one.data))
        for one in images
        if isinstance(one, ImageContent)
    ]
    assert seen == [("image/gif", b"GIF89a"), ("image/png", b"\x89PNG")]
    assert result.structured_content == {"name": "a cat"}
