"""What clients are told of tools, held by snapshots: a change of it changes what models do, and so
has to be seen in review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from difflib import unified_diff
from pathlib import Path
from typing import Any

from redmine_mcp_core.tools.components import RedmineTool

WRITE = "SNAPSHOTS"
"""Set to ``write``, this variable has snapshots written anew."""


def definition_of(tool: RedmineTool) -> dict[str, Any]:
    """All that a plugin says of a tool: title, description, annotations, schemas, scopes, and
    whether it is listed. Icons are the host's."""
    told = tool.to_mcp_tool().model_dump(mode="json", by_alias=True, exclude_none=True)
    own = {part: value for part, value in told.items() if part not in {"_meta", "icons"}}
    return {**own, "scopes": sorted(tool.declaration.scopes), "listed": tool.declaration.listed}


def hold_to_snapshot(told: object, path: Path) -> None:
    """Compare with what ``path`` holds, or write it there if ``SNAPSHOTS=write`` is set.

    Raises ``AssertionError`` with the difference, or if there is no snapshot.
    """
    now = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
    if os.environ.get(WRITE) == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(now, encoding="utf-8")
    then = path.read_text(encoding="utf-8") if path.exists() else ""
    if now != then:
        lines = unified_diff(then.splitlines(), now.splitlines(), path.name, "now", lineterm="")
        difference = "\n".join(lines)
        raise AssertionError(f"If it is meant, run this test with {WRITE}=write.\n{difference}")


def hold_to_snapshots(tools: Collection[RedmineTool], folder: Path) -> None:
    """``hold_to_snapshot`` for each tool, as ``<name>.json``; none may be left of a former tool."""
    for tool in tools:
        hold_to_snapshot(definition_of(tool), folder / f"{tool.name}.json")
    left = {path.stem for path in folder.glob("*.json")} - {tool.name for tool in tools}
    if left:
        raise AssertionError(f"Snapshots of tools that are gone: {', '.join(sorted(left))}")
