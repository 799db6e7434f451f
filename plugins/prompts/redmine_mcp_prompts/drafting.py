"""From rough notes to a bug report that fits the project."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from redmine_mcp_core import BadArgument, CurrentRedmine, Quotation, Redmine, line, visible
from redmine_mcp_prompts.briefing import Section, briefing
from redmine_mcp_prompts.finding import find_project, if_shown
from redmine_mcp_prompts.plugin import plugin

NOTES_CHARACTERS = 10_000
"""More than that is refused rather than cut: it is what the person wants to have in the report."""


@plugin.prompt(title="Draft a bug report")
async def draft_bug_report(
    project_id: Annotated[str, Field(description="Identifier or name of the project")],
    rough_notes: Annotated[str, Field(description="What you saw, in any order")],
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Turn rough notes into a bug report with the trackers and fields of the project."""
    if not visible(rough_notes).strip():
        raise BadArgument("The notes are empty.")
    if len(rough_notes) > NOTES_CHARACTERS:
        raise BadArgument(f"The notes are longer than {NOTES_CHARACTERS} characters: shorten them.")
    project = await find_project(
        redmine, project_id, "trackers,issue_categories,issue_custom_fields"
    )
    priorities, versions = await asyncio.gather(
        redmine.names("issue_priorities"), if_shown(_open_versions(redmine, project["id"]))
    )
    return briefing(
        f"Draft a bug report for the Redmine project {project['identifier']} from the notes at "
        "the end, for me to read before it is created. Give a subject of at most 80 characters, "
        "then a description: steps to reproduce, what was expected, what happened instead, and "
        "the environment, each only as far as the notes say; list what is missing as questions "
        "to me. Then propose tracker, priority, category, version and custom fields, from the "
        "names below only, and none where the notes do not tell. Keep to the language of the "
        "notes.",
        Section("Project", [line(project["name"])]),
        Section("Trackers", _names(project, "trackers")),
        Section("Priorities", [line(name) for name in priorities.values()]),
        Section("Categories", _names(project, "issue_categories")),
        Section("Open versions", versions or [], hidden=versions is None),
        Section("Custom fields", _names(project, "issue_custom_fields")),
        after=Quotation().enclose(rough_notes, "my notes"),
    )


def _names(project: dict[str, list[dict[str, str]]], key: str) -> list[str]:
    return [line(item["name"]) for item in project.get(key, ())]


async def _open_versions(redmine: Redmine, project: int) -> list[str]:
    found = await redmine.get(f"/projects/{project}/versions.json")
    return [line(item["name"]) for item in found["versions"] if item["status"] == "open"]
