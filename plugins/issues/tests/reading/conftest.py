"""Reading an issue, each answer held to the schema that the tool declares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import jsonschema
import pytest

READ = "get_issue_details"

Read = Callable[..., Awaitable[Any]]


@pytest.fixture
def read() -> Read:
    """The answer about an issue; it is valid against the schema that the tool declares."""

    async def call(client: Any, issue_id: int, **arguments: Any) -> Any:
        result = await client.call_tool(READ, {"issue_id": issue_id, **arguments})
        (tool,) = [tool for tool in await client.list_tools() if tool.name == READ]
        jsonschema.validate(result.structured_content, tool.output_schema)
        return result

    return call
