"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redmine_mcp_wiki import plugin as wiki

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing import text_of, unmarked
from redmine_mcp_core.testing.fixtures import Target, redmine, sandbox, sign_in

__all__ = ["redmine", "sandbox", "sign_in"]

API = "/projects/alpha/wiki"

Told = Callable[..., Awaitable[str]]

SETUP = """# Setup

Read this first.

## Install

```sh
# not a heading
make install
```

## Configure

Set `name`.

### Names

Any.

## Run
"""
PAGES: list[tuple[str, dict[str, Any]]] = [
    ("Wiki", {"text": "Welcome to the handbook.\r\n\r\nSee [[Setup]].", "comments": "first"}),
    ("Setup", {"text": "draft", "parent_title": "Wiki"}),
    ("Setup", {"text": SETUP, "comments": "Names are explained"}),
    ("Backups", {"text": "h1. Backups\n\nNightly.\n\nh2. Restore\n\n# stop\n# copy\n"}),
    ("Names", {"text": "All of them", "parent_title": "Setup"}),
]


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return wiki


@pytest.fixture
async def written(written: Target) -> Target:
    """With these pages alone in alpha."""
    async with written.http() as http:
        for seeded in (await http.get(f"{API}/index.json")).json()["wiki_pages"]:
            (await http.delete(f"{API}/{seeded['title']}.json")).raise_for_status()
        for title, page in PAGES:
            answer = await http.put(f"{API}/{title}.json", json={"wiki_page": page})
            assert answer.is_success, answer.text
    return written


@pytest.fixture
def told() -> Told:
    """What a model reads of an answer, be it an error, without the marks."""

    async def call(client: Any, tool: str, **arguments: Any) -> str:
        arguments = {"project": "alpha", **arguments}
        return unmarked(text_of(await client.call_tool(tool, arguments, raise_on_error=False)))

    return call
