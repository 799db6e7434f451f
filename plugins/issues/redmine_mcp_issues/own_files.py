"""Attachments from and to the caller's own computer, where the server runs on it.

Saving one is a tool of its own and not an argument of the one that reads: clients run tools that
only read without asking the person.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from redmine_mcp_core import (
    BadArgument,
    Caller,
    CurrentCaller,
    CurrentLocalFiles,
    CurrentRedmine,
    LocalFiles,
    Quotation,
    Redmine,
    Result,
    line,
)
from redmine_mcp_issues.arguments import Id
from redmine_mcp_issues.attachments import (
    MAX_UPLOAD,
    Comment,
    FileChange,
    Note,
    attach,
    file_of,
)
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of

MAX_SAVED = 64 * 1024 * 1024
"""Bytes: it is in memory before it is on the disk."""


class SavedFile(Result):
    """Where an attachment is now."""

    issue_id: int
    attachment_id: int
    path: str
    """Below the folder that was allowed."""
    size: int
    """Bytes."""

    def text(self) -> str:
        said = f"File {self.attachment_id} of #{self.issue_id} saved, {self.size} B. Its path below"
        return f"{said} MCP_FILES_FOLDER:\n{Quotation().enclose(self.path)}"


@plugin.tool(
    title="Attach a file of this computer",
    scopes={"view_issues", "add_issue_notes"},
    optional_scopes={"edit_issues", "set_notes_private", "view_private_notes"},
    listed=False,
    local=True,
)
async def attach_local_file(
    issue_id: Id,
    path: Annotated[str, Field(description="Below the folder that the person allowed")],
    filename: Annotated[str, Field(max_length=255, description="Another name than its own")] = "",
    description: str = "",
    notes: Comment = "",
    private_notes: bool = False,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
    files: LocalFiles = CurrentLocalFiles(),
) -> FileChange:
    """Attach a file of this computer to an issue, by its path."""
    file = await files.read(path, limit=MAX_UPLOAD)
    note = Note(notes, private_notes)
    name = filename or file.name
    return await attach(redmine, caller, issue_id, file.content, name, description, note)


@plugin.tool(title="Save an attachment", scopes={"view_issues"}, listed=False, local=True)
async def save_attachment(
    issue_id: Id,
    attachment_id: Id,
    path: Annotated[
        str, Field(description="Of a new file below the folder that the person allowed")
    ] = "",
    redmine: Redmine = CurrentRedmine(),
    files: LocalFiles = CurrentLocalFiles(),
) -> SavedFile:
    """Save a file of an issue on this computer, under its own name or another."""
    file = file_of(await issue_of(redmine, issue_id, {"attachments"}), attachment_id)
    if file["filesize"] > MAX_SAVED:
        raise BadArgument(f"The file has {file['filesize']} bytes; {MAX_SAVED} are the most.")
    content = await redmine.download(f"/attachments/download/{attachment_id}", limit=MAX_SAVED)
    return SavedFile(
        issue_id=issue_id,
        attachment_id=attachment_id,
        path=await files.save(path or line(file["filename"]), content),
        size=len(content),
    )
