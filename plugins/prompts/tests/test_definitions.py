"""What clients are told of each prompt: held by a snapshot, so that a change is seen in review.

``SNAPSHOTS=write pytest plugins/prompts/tests/test_definitions.py`` writes them anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

SNAPSHOT = Path(__file__).parent / "prompts.json"


async def test_the_prompts_are_told_as_the_snapshot_says(sign_in: Any) -> None:
    """Name, title, description and arguments of each."""
    async with sign_in() as client:
        prompts = await client.list_prompts()
    told = [
        prompt.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"icons", "meta"})
        for prompt in prompts
    ]
    if os.environ.get("SNAPSHOTS") == "write":
        written = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        SNAPSHOT.write_text(written, encoding="utf-8")

    assert told == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


async def test_arguments_are_told_in_plain_words(sign_in: Any) -> None:
    """A person reads these while filling them in: no JSON schema among them."""
    async with sign_in() as client:
        prompts = await client.list_prompts()

    for prompt in prompts:
        for argument in prompt.arguments or ():
            assert argument.description, (prompt.name, argument.name)
            assert "schema" not in argument.description
