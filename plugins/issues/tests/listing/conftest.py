"""Listing issues, each answer held to the schema that the tool declares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
import pytest

LIST = "list_issues"

Listed = Callable[..., Awaitable[Any]]


@pytest.fixture
def listed() -> Listed:
    """What was found; the answer is valid against the schema that the tool declares."""

    async def call(client: Any, **arguments: Any) -> Any:
        result = await client.call_tool(LIST, arguments)
        (tool,) = [tool for tool in await client.list_tools() if tool.name == LIST]
        jsonschema.validate(result.structured_content, tool.output_schema)
        return result

    return call


@pytest.fixture
def ids() -> Callable[[Any], list[int]]:
    """The numbers of the issues in an answer."""

    def numbers(result: Any) -> list[int]:
        return [issue["id"] for issue in result.structured_content.get("issues", [])]

    return numbers
