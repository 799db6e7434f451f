"""Comments changed and taken away after they were written.

Redmine has no way to read one comment, and deletes one whose text is set to nothing
(app/models/journal.rb). So each is looked for in its issue, before and after.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import (
    BadArgument,
    CurrentRedmine,
    Edit,
    NotDeleted,
    NotFound,
    Redmine,
    Result,
    StandsOtherwise,
    confirmed,
    line,
    quoted,
    replaced,
    shorten,
)
from redmine_mcp_issues.arguments import Flag, Id, Text
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.reaching import issue_of

SHOWN_CHARACTERS = 200

_SCOPES = {"view_issues", "edit_issue_notes"}
_OPTIONAL_SCOPES = {"edit_own_issue_notes", "set_notes_private", "view_private_notes"}


_TEXT = {"type": "string"}
_Edits = Annotated[
    tuple[Edit, ...],
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "object", "properties": {"find": _TEXT, "with": _TEXT}},
            "description": "find must occur once",
        }
    ),
]


class EditedComment(Result):
    """What became of a comment."""

    issue_id: int
    comment_id: int
    outcome: Literal["changed", "unchanged", "deleted"]
    dropped: tuple[str, ...] = ()
    """What was asked for and did not come about, without a word from Redmine."""

    def text(self) -> str:
        said = f"Comment {self.comment_id} of #{self.issue_id}: {self.outcome}."
        return f"{said} Silently dropped: {'; '.join(self.dropped)}." if self.dropped else said


@plugin.tool(title="Edit a comment", scopes=_SCOPES, optional_scopes=_OPTIONAL_SCOPES, listed=False)
async def edit_comment(
    issue_id: Id,
    comment_id: Annotated[
        int, Field(ge=1, description="From get_issue_details with focus=discussion")
    ],
    text: Text = None,
    replace: _Edits = (),
    private: Flag = None,
    redmine: Redmine = CurrentRedmine(),
) -> EditedComment:
    """Change a comment's text, as a whole or by find and replace, or who may read it."""
    before = await _comment(redmine, issue_id, comment_id)
    wanted: dict[str, Any] = {}
    if text is not None and replace:
        raise BadArgument("Give either text or replace.")
    if text is not None or replace:
        wanted["notes"] = replaced(_notes(before), replace, "comment") if replace else text
        if not wanted["notes"].strip():
            raise BadArgument("That would delete the comment: use delete_comment.")
    if private is not None:
        wanted["private_notes"] = private
    if not wanted:
        raise BadArgument("Nothing was asked to be changed.")
    await redmine.put(f"/journals/{comment_id}.json", {"journal": wanted})
    after = await _comment(redmine, issue_id, comment_id)
    dropped = []
    if "notes" in wanted and _notes(after).strip() != _plain(wanted["notes"]).strip():
        dropped.append("text")
    if private is not None and bool(after.get("private_notes")) != private:
        dropped.append("private" if private else "public")
    changed = _shown(before) != _shown(after)
    return EditedComment(
        issue_id=issue_id,
        comment_id=comment_id,
        outcome="changed" if changed else "unchanged",
        dropped=tuple(dropped),
    )


@plugin.tool(
    title="Delete a comment",
    scopes=_SCOPES,
    optional_scopes=_OPTIONAL_SCOPES,
    destroys=True,
    listed=False,
)
async def delete_comment(
    issue_id: Id,
    comment_id: Id,
    confirm: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> EditedComment:
    """Delete a comment's text; changes made with it stay in the history. Asks the person first."""
    before = await _comment(redmine, issue_id, comment_id)
    await confirmed(_question(issue_id, before), confirm=confirm)
    if _shown(await _comment(redmine, issue_id, comment_id)) != _shown(before):
        raise StandsOtherwise
    await redmine.put(f"/journals/{comment_id}.json", {"journal": {"notes": ""}})
    try:
        await _comment(redmine, issue_id, comment_id)
    except NotFound:
        return EditedComment(issue_id=issue_id, comment_id=comment_id, outcome="deleted")
    raise NotDeleted(f"comment {comment_id}")


async def _comment(redmine: Redmine, issue_id: int, comment_id: int) -> dict[str, Any]:
    """A journal with a text. Raises ``NotFound``."""
    issue = await issue_of(redmine, issue_id, {"journals"})
    for journal in issue.get("journals", ()):
        if journal["id"] == comment_id and _notes(journal):
            found: dict[str, Any] = journal
            return found
    raise NotFound(f"Comment {comment_id} of #{issue_id}")


def _question(issue_id: int, journal: dict[str, Any]) -> str:
    excerpt, cut = shorten(_notes(journal), SHOWN_CHARACTERS)
    author = line(journal.get("user", {}).get("name")) or "Anonymous"
    said = quoted(f"{author}: {excerpt}{' …' if cut else ''}")
    return f"Delete comment {journal['id']} of #{issue_id} for good?\n{said}"


def _notes(journal: dict[str, Any]) -> str:
    return _plain(journal.get("notes") or "")


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")


def _shown(journal: dict[str, Any]) -> tuple[str, bool]:
    return _notes(journal), bool(journal.get("private_notes"))
