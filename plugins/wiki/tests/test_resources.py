"""Wiki pages as resources, and the titles that are offered for them."""

from __future__ import annotations

from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from mcp_types import ResourceTemplateReference

from redmine_mcp_core.testing import text_of
from redmine_mcp_core.testing.fixtures import Target

API = "/projects/alpha/wiki"


REFERENCE = ResourceTemplateReference(uri="redmine://wiki/{project}/{title}")


async def offered(client: Any, typed: str, **given: str) -> list[str]:
    answer = await client.complete(
        REFERENCE, {"name": "title", "value": typed}, context_arguments=given or None
    )
    return list(answer.values)


async def test_a_page_reads_as_the_tool_tells_it(written: Target) -> None:
    """The same words between marks; a title may be encoded as in an address."""
    async with written.http() as http:
        page = {"wiki_page": {"text": "ä"}}
        (await http.put(f"{API}/%C3%BCber%20uns.json", json=page)).raise_for_status()
    async with written.client("carol") as client:
        resource: Any
        encoded: Any
        (resource,) = await client.read_resource("redmine://wiki/alpha/Setup")
        told = text_of(await client.call_tool("get_wiki_page", {"project": "1", "title": "setup"}))
        (encoded,) = await client.read_resource("redmine://wiki/alpha/%C3%9Cber_uns")

    assert resource.mime_type == "text/plain"
    assert resource.text.splitlines()[1:-1] == told.splitlines()[1:-1]
    assert "Über_uns · version 1" in encoded.text


@pytest.mark.parametrize(
    "uri", ["alpha/Nope", "gamma/Wiki", "alpha/%2e%2e%2f%2e%2e", "nope/Wiki", "alpha/%00"]
)
async def test_what_is_not_there(written: Target, uri: str) -> None:
    """Missing, hidden and strange titles are errors."""
    async with written.client("carol") as client:
        with pytest.raises(MCPError):
            await client.read_resource(f"redmine://wiki/{uri}")


async def test_titles_are_offered(written: Target) -> None:
    """Those that begin so first, then those that hold it; none without a project."""
    async with written.client("carol") as client:
        assert await offered(client, "", project="alpha") == ["Backups", "Names", "Setup", "Wiki"]
        assert await offered(client, "s", project="Alpha") == ["Setup", "Backups", "Names"]
        assert await offered(client, "zebra", project="alpha") == []
        assert await offered(client, "", project="gamma") == []
        assert await offered(client, "s") == []
