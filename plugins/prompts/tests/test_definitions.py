"""What clients are told of each prompt: held by a snapshot, so that a change is seen in review.

``SNAPSHOTS=write pytest plugins/prompts/tests/test_definitions.py`` writes them anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redmine_mcp_core.testing import hold_to_snapshot


async def test_the_prompts_are_told_as_the_snapshot_says(sign_in: Any) -> None:
    """Name, title, description and arguments of each."""
    async with sign_in() as client:
        prompts = await client.list_prompts()
    told = [
        prompt.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"icons", "meta"})
        for prompt in prompts
    ]
    hold_to_snapshot(told, Path(__file__).parent / "prompts.json")


async def test_arguments_are_told_in_plain_words(sign_in: Any) -> None:
    """A person reads these while filling them in: no JSON schema among them."""
    async with sign_in() as client:
        prompts = await client.list_prompts()

    for prompt in prompts:
        for argument in prompt.arguments or ():
            assert argument.description, (prompt.name, argument.name)
            assert "schema" not in argument.description
