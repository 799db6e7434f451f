"""A client of a server with this plugin, before a sandbox Redmine or a real one."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import TextContent
from redmine_mcp_prompts import plugin as prompts

from redmine_mcp_core import Plugin
from redmine_mcp_core.testing.fixtures import READ_SCOPES, Target, sandbox, sign_in
from redmine_mcp_core.testing.fixtures import redmine as each_redmine

__all__ = ["each_redmine", "sandbox", "sign_in"]


@pytest.fixture
def plugin() -> Plugin:
    """What these tests are about."""
    return prompts


class Prompting(Target):
    """A Redmine to fill prompts from."""

    async def prompt(
        self, name: str, login: str = "alice", mode: Any = "auto", **arguments: str
    ) -> str:
        """The text of a prompt, for somebody who may read, in either protocol era."""
        async with self.client(login, mode=mode, scopes=READ_SCOPES) as client:
            prompt = await client.get_prompt(name, arguments)
        (message,) = prompt.messages
        assert message.role == "user"
        assert isinstance(message.content, TextContent)
        return message.content.text

    @property
    def seen(self) -> list[str]:
        """What the newest prompt asked of Redmine."""
        return [str(asked) for asked in self.way.seen]


@pytest.fixture
def redmine(each_redmine: Target) -> Prompting:
    """Each Redmine there is; prompts only read."""
    return Prompting(each_redmine.plugin, each_redmine.sandbox)
