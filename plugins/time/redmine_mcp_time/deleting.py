"""The tool that deletes a time entry, after the person was asked."""

from __future__ import annotations

from redmine_mcp_core import (
    CurrentRedmine,
    Forbidden,
    Redmine,
    StandsOtherwise,
    confirmed,
    quoted,
)
from redmine_mcp_time.arguments import EntryId
from redmine_mcp_time.changing import NOT_ALLOWED, SCOPES
from redmine_mcp_time.plugin import plugin
from redmine_mcp_time.reading import entry_of
from redmine_mcp_time.rows import entry_from
from redmine_mcp_time.written import WrittenTimeEntry


@plugin.tool(
    title="Delete a time entry",
    scopes=SCOPES,
    optional_scopes={"edit_time_entries"},
    destroys=True,
    listed=False,
)
async def delete_time_entry(
    entry_id: EntryId,
    confirm: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> WrittenTimeEntry:
    """Delete a time entry for good. Asks the person first."""
    before = await entry_of(redmine, entry_id)
    told = entry_from(before)
    await confirmed(f"Delete this time entry for good?\n{quoted(told.row())}", confirm=confirm)
    if await entry_of(redmine, entry_id) != before:
        raise StandsOtherwise
    try:
        await redmine.delete(f"/time_entries/{entry_id}.json")
    except Forbidden as error:
        raise Forbidden(NOT_ALLOWED) if error.code == Forbidden.code else error from None
    return WrittenTimeEntry(outcome="deleted", id=entry_id, entry=told)
