"""A plugin that puts what it is given into every error it raises, and who makes it do so."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError
from mcp.shared.exceptions import MCPError

from tests.security.scene import Scene
from tests.support.sign_in import Tokens

CANARY = "The-words-of-a-stranger-that-look-like-no-secret"
"""Nothing can know this by its shape: that it is nowhere holds by construction, or not at all."""
CLUMSY = """
import logging, threading, warnings
from redmine_mcp_core import Plugin, Result, hookimpl

class Told(Result):
    value: str
    def text(self):
        return self.value

class Clumsy(Plugin):
    @hookimpl
    def on_event(self, event):
        if event.tool == "fail":
            raise LookupError(CANARY)

    @hookimpl
    def before_tool_call(self, call):
        if call.declaration.name == "forbid":
            raise ValueError(repr(call.arguments))

plugin = Clumsy()
_scopes = {"view_issues"}

@plugin.tool(title="Fail", scopes=_scopes)
async def fail(text: str) -> Told:
    '''Fail.'''
    secret = text
    try:
        raise KeyError(secret)
    except KeyError as error:
        raise RuntimeError(f"{secret} cannot be") from error

@plugin.tool(title="Forbid", scopes=_scopes)
async def forbid(text: str) -> Told:
    '''Be forbidden.'''
    return Told(value=text)

@plugin.tool(title="Answer wrongly", scopes=_scopes)
async def answer_wrongly(text: str) -> Told:
    '''Answer wrongly.'''
    return Told(value={text: text})

@plugin.tool(title="Crash a thread", scopes=_scopes)
async def crash(text: str) -> Told:
    '''Crash a thread.'''
    def die():
        raise OSError(text)
    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    return Told(value="crashed")

@plugin.resource("redmine://clumsy/{text}", name="clumsy", title="Fail")
async def read(text: str) -> str:
    raise TypeError(text)

@plugin.prompt(title="Fail")
async def clumsy_prompt(text: str) -> str:
    raise AttributeError(text)
"""


def clumsy_plugin(folder: Path) -> Path:
    """An installed plugin that puts what it is given into every error it raises."""
    information = folder / "clumsy-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: clumsy\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[redmine_mcp]\nclumsy = clumsy:plugin\n")
    (folder / "clumsy.py").write_text(f"CANARY = {CANARY!r}\n{CLUMSY}")
    return folder


async def be_clumsy(scene: Scene, tokens: Tokens) -> None:
    """Fail in each way there is, and be told of none but the reference."""
    for era in ("auto", "legacy"):
        async with Client(f"{scene.url}/mcp", auth=tokens.access, mode=era) as client:
            for tool in ("fail", "forbid", "answer_wrongly"):
                with pytest.raises(ToolError, match="with the reference") as failed:
                    await client.call_tool(tool, {"text": CANARY})
                assert CANARY not in str(failed.value)
            await client.call_tool("crash", {"text": CANARY})
            with pytest.raises(MCPError, match="with the reference") as unread:
                await client.read_resource(f"redmine://clumsy/{CANARY}")
            with pytest.raises(MCPError, match="with the reference") as unrendered:
                await client.get_prompt("clumsy_prompt", {"text": CANARY})
            assert CANARY not in str(unread.value) + str(unrendered.value)
