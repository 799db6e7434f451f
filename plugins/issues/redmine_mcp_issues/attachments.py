"""Files of issues: read by a model, added by it, and taken away.

A file is always named together with its issue. Redmine hands out and deletes those of wiki pages,
news and the like by the same ids, asks no scope of the sign-in for either, and does not say to what
a file belongs (``GET /attachments/:id``). So what is not in the issue is not touched, and deleting
takes a sign-in that may edit, be it one's own issues only (``Issue#attachments_deletable?``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, NamedTuple

from pydantic import Field, PrivateAttr

from redmine_mcp_core import (
    BadArgument,
    Caller,
    CurrentCaller,
    CurrentRedmine,
    Forbidden,
    Image,
    MissingScope,
    NotDeleted,
    NotFound,
    Quotation,
    Redmine,
    RedmineError,
    Result,
    StandsOtherwise,
    confirmed,
    line,
    quoted,
    visible,
)
from redmine_mcp_issues.arguments import Id, Text
from redmine_mcp_issues.changes import noted
from redmine_mcp_issues.checks import WouldFail, check_privacy
from redmine_mcp_issues.files import image_type, text_of
from redmine_mcp_issues.permissions import EDITING
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of
from redmine_mcp_issues.request import Request

MAX_BYTES = 3 * 1024 * 1024
"""Of what is read into a conversation: an image of this size is 4 MiB in base64."""
MAX_UPLOAD = 5 * 1024 * 1024
"""As Redmine's own ``attachment_max_size``, unless an administrator changed it."""
PAGE = 10_000
"""Characters of a text that are read at once."""

Comment = Annotated[str, Field(description="A comment that goes with it")]


class Attachment(Result):
    """A file: its text, or the picture beside this, or where to find it."""

    id: int
    filename: str
    size: int
    """Bytes."""
    content_type: str = ""
    url: str
    content: str | None = None
    """A part of the text."""
    characters: int | None = None
    """Of the whole text."""
    next_offset: int | None = None
    why_not: str = ""
    """Why the content is not here."""
    _image: Image | None = PrivateAttr(None)

    def with_image(self, image: Image) -> Attachment:
        self._image = image
        return self

    def media(self) -> Sequence[Image]:
        return (self._image,) if self._image else ()

    def text(self) -> str:
        about = f"{self.filename} ({', '.join(filter(None, [self.content_type, self._size()]))})"
        quotation = Quotation()
        if self.why_not:
            return f"{quotation.enclose(about)}\n{self.why_not} A person opens it at {self.url}"
        if self.content is None:
            return f"{quotation.enclose(about)}\nIts picture follows: from Redmine users as well."
        body = quotation.enclose(f"{about}\n\n{self.content}")
        if self.next_offset is None:
            return body
        left = (self.characters or 0) - self.next_offset
        return f"{body}\n{left} more characters: offset={self.next_offset}"

    def _size(self) -> str:
        return f"{self.size} B" if self.size < 10_000 else f"{self.size / 1024:.0f} KiB"


class FileChange(Result):
    """What became of a file."""

    issue_id: int
    attachment_id: int
    filename: str
    outcome: str
    noted: bool = False
    dropped: tuple[str, ...] = ()

    def text(self) -> str:
        note = ", with a note" if self.noted else ""
        said = f"File {self.attachment_id} {self.outcome} #{self.issue_id}{note}."
        dropped = f"\nSilently dropped by Redmine: {'; '.join(self.dropped)}."
        return f"{said}\n{Quotation().enclose(self.filename)}{dropped if self.dropped else ''}"


class Note(NamedTuple):
    """A comment that goes with a file."""

    text: str
    private: bool


@plugin.tool(title="Read an attachment", scopes={"view_issues"}, read_only=True, listed=False)
async def get_attachment(
    issue_id: Id,
    attachment_id: Id,
    offset: Annotated[int, Field(ge=0, description="Characters of a text to skip")] = 0,
    redmine: Redmine = CurrentRedmine(),
) -> Attachment:
    """Read a file of an issue: text as text, an image as an image."""
    file = file_of(await issue_of(redmine, issue_id, {"attachments"}), attachment_id)
    found: dict[str, Any] = {
        "id": attachment_id,
        "filename": line(file["filename"]),
        "size": file["filesize"],
        "content_type": line(file.get("content_type")),
        "url": f"{redmine.url}/attachments/{attachment_id}",
    }
    if found["size"] > MAX_BYTES:
        return Attachment(**found, why_not=f"It is larger than {MAX_BYTES // 1024} KiB.")
    content = await redmine.download(f"/attachments/download/{attachment_id}", limit=MAX_BYTES)
    if kind := image_type(content):
        return Attachment(**found).with_image(Image(content, kind))
    text = text_of(content, found["content_type"])
    if text is None:
        return Attachment(**found, why_not="It is neither text nor an image.")
    text = visible(text)
    if offset and offset >= len(text):
        raise BadArgument(f"The text has {len(text)} characters: offset is beyond them.")
    end = offset + PAGE
    return Attachment(
        **found,
        content=text[offset:end],
        characters=len(text),
        next_offset=end if end < len(text) else None,
    )


@plugin.tool(
    title="Attach a file",
    scopes={"view_issues", "add_issue_notes"},
    optional_scopes={"edit_issues", "set_notes_private", "view_private_notes"},
    listed=False,
)
async def add_attachment(
    issue_id: Id,
    filename: Annotated[str, Field(max_length=255)],
    text: Text = None,
    base64_content: Text = None,
    description: str = "",
    notes: Comment = "",
    private_notes: bool = False,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
) -> FileChange:
    """Attach a file to an issue, given as text or in base64."""
    content = _content(text, base64_content)
    note = Note(notes, private_notes)
    return await attach(redmine, caller, issue_id, content, filename, description, note)


async def attach(
    redmine: Redmine,
    caller: Caller,
    issue_id: int,
    content: bytes,
    filename: str,
    description: str,
    note: Note,
) -> FileChange:
    """Upload a file and make it the issue's. Raises ``RedmineError``."""
    name, notes, private_notes = line(filename), note.text, note.private
    if not name:
        raise BadArgument("filename is empty.")
    if not content:
        raise BadArgument("The file is empty, and Redmine takes no empty files.")
    if len(content) > MAX_UPLOAD:
        raise BadArgument(f"The file has {len(content)} bytes; {MAX_UPLOAD} are the most.")
    body: dict[str, Any] = {"notes": notes, "private_notes": private_notes} if notes else {}
    if notes and private_notes:
        await _check_privacy(redmine, caller, issue_id, body)
    upload = (await redmine.upload("/uploads.json", content, filename=name))["upload"]
    body["uploads"] = [{"token": upload["token"], "filename": name, "description": description}]
    try:
        await redmine.put(f"/issues/{issue_id}.json", {"issue": body})
    except RedmineError as error:
        await _taken_back(redmine, upload["id"], error)
        if isinstance(error, Forbidden | NotFound):
            await issue_of(redmine, issue_id)  # hidden and missing are told alike
        raise
    after = await issue_of(redmine, issue_id, {"attachments", "journals"})
    try:
        file = file_of(after, upload["id"])
    except NotFound:
        raise NotFound(
            f"The file, although Redmine took it: what was to be attached to #{issue_id}"
        ) from None
    came = bool(notes) and noted(after, notes, private=private_notes)
    return FileChange(
        issue_id=issue_id,
        attachment_id=file["id"],
        filename=line(file["filename"]),
        outcome="attached to",
        noted=came,
        dropped=("the note",) if notes and not came else (),
    )


@plugin.tool(
    title="Delete an attachment",
    scopes={"view_issues"},
    optional_scopes={"edit_issues", "edit_own_issues"},
    destroys=True,
    listed=False,
)
async def delete_attachment(
    issue_id: Id,
    attachment_id: Id,
    confirm: bool = False,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
) -> FileChange:
    """Delete a file of an issue. Asks the person first."""
    if caller.scopes.isdisjoint(EDITING):
        raise MissingScope(EDITING)
    issue = await issue_of(redmine, issue_id, {"attachments"})
    if "edit_issues" not in caller.scopes:
        (user,) = await redmine.reference("current_user")
        if issue["author"]["id"] != user["id"]:
            raise MissingScope(["edit_issues"])
    file = file_of(issue, attachment_id)
    about = f"{line(file['filename'])} ({file['filesize']} B)"
    question = f"Delete file {attachment_id} of #{issue_id} for good?\n{quoted(about)}"
    await confirmed(question, confirm=confirm)
    now = file_of(await issue_of(redmine, issue_id, {"attachments"}), attachment_id)
    if (now["filename"], now["filesize"]) != (file["filename"], file["filesize"]):
        raise StandsOtherwise
    await redmine.delete(f"/attachments/{attachment_id}.json")
    try:
        file_of(await issue_of(redmine, issue_id, {"attachments"}), attachment_id)
    except NotFound:
        return FileChange(
            issue_id=issue_id,
            attachment_id=attachment_id,
            filename=line(file["filename"]),
            outcome="deleted from",
        )
    raise NotDeleted(f"file {attachment_id}")


def file_of(issue: dict[str, Any], attachment_id: int) -> dict[str, Any]:
    """A file of this issue, and of nothing else. Raises ``NotFound``."""
    for file in issue.get("attachments", ()):
        if file["id"] == attachment_id:
            found: dict[str, Any] = file
            return found
    raise NotFound(f"File {attachment_id} of #{issue['id']}")


async def _check_privacy(
    redmine: Redmine, caller: Caller, issue_id: int, note: dict[str, Any]
) -> None:
    """Raise ``WouldFail`` where a note meant to be private would become public."""
    issue = await issue_of(redmine, issue_id)
    author, project = issue["author"]["id"], issue["project"]["id"]
    if problems := await check_privacy(redmine, caller, Request(**note), project, author):
        raise WouldFail(problems)


async def _taken_back(redmine: Redmine, upload_id: int, error: RedmineError) -> None:
    """Delete an upload that was attached to nothing, which Redmine would keep.

    Not after an error that says nothing of what was done: then it may well be attached.
    """
    if not error.retryable:
        with suppress(RedmineError):
            await redmine.delete(f"/attachments/{upload_id}.json")


def _content(text: str | None, encoded: str | None) -> bytes:
    """The bytes to upload. Raises ``BadArgument``."""
    if [text, encoded].count(None) != 1:
        raise BadArgument("Give either text or base64_content.")
    if encoded is None:
        return (text or "").encode()
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        raise BadArgument("base64_content is not base64.") from None
