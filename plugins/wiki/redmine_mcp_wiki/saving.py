"""The tool that writes a page.

Redmine takes whatever text it is given. So that nobody writes over what somebody else has written,
each change names the version it was made from, and Redmine refuses it with 409 if that is not the
newest (``WikiContent.locking_column``). Of a new page the number would become its first version, so
there it is left out.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from redmine_mcp_core import (
    BadArgument,
    Conflict,
    CurrentRedmine,
    Edit,
    Forbidden,
    Invalid,
    Redmine,
    line,
    replaced,
)
from redmine_mcp_wiki.listing import below
from redmine_mcp_wiki.pages import (
    SEES,
    Project,
    Record,
    index_of,
    named,
    no_page,
    page_of,
    page_or_none,
    parent_of,
    path_of,
    same,
    title_of,
    told_as,
    url_of,
)
from redmine_mcp_wiki.plugin import plugin
from redmine_mcp_wiki.sections import begins_with_heading, section_of
from redmine_mcp_wiki.written import Difference, Outcome, WrittenPage, difference

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


@plugin.tool(
    title="Write a wiki page",
    scopes=SEES | {"edit_wiki_pages"},
    optional_scopes={"rename_wiki_pages", "protect_wiki_pages"},
    listed=False,
)
async def save_wiki_page(
    project: Project,
    title: str,
    text: Annotated[str | None, told_as("string", "Of the page, or of the section")] = None,
    replace: _Edits = (),
    section: Annotated[str | None, told_as("string", "Only this section: its heading")] = None,
    expected_version: Annotated[
        int | None,
        Field(ge=1),
        told_as("integer", "Refuse if changed since; needed with the whole text of a page"),
    ] = None,
    comment: Annotated[
        str | None, Field(max_length=1024), told_as("string", "What was changed")
    ] = None,
    parent: Annotated[str | None, told_as("string", 'Title of the page above; "" for none')] = None,
    new_title: Annotated[str | None, told_as("string", "Renames it")] = None,
    dry_run: bool = False,
    redmine: Redmine = CurrentRedmine(),
) -> WrittenPage:
    """Create, edit or rename a wiki page: all its text, find and replace, or a section."""
    if text is not None and replace:
        raise BadArgument("Give either text or replace.")
    found = await redmine.project(project)
    before = await page_or_none(redmine, found, title)
    if before is None:
        if replace or section or expected_version or new_title:
            raise await no_page(redmine, found, title)
        if not (text or "").strip():
            raise BadArgument("A new page needs a text.")
    elif expected_version and before["version"] != expected_version:
        raise Conflict(
            f"This page has version {before['version']} by now, not {expected_version}. "
            "Read it again first; nothing was written."
        )
    elif text is None and not replace and parent is None and new_title is None:
        raise BadArgument("Nothing to change was given: a text, replace, parent or new_title.")
    wanted = text if before is None else _text(before, text, replace, section, expected_version)
    body: dict[str, Any] = {"text": wanted, "comments": comment}
    if before:
        body["version"] = before["version"]
    if parent is not None:
        body["parent_title"] = title_of(parent) if parent.strip() else ""
    if new_title is not None:
        body["title"] = title_of(new_title)
    change = difference(before["text"] if before else "", wanted or "", shown=dry_run)
    if dry_run:
        planned = await _planned(redmine, found, before or {"title": title_of(title)}, body)
        return _told(redmine, found, before, planned, change)
    after = await _put(redmine, found, title, body, before)
    return _told(redmine, found, before, after, change, dropped=tuple(_dropped(body, after)))


def _text(
    page: Record,
    text: str | None,
    edits: tuple[Edit, ...],
    section: str | None,
    expected_version: int | None,
) -> str:
    """The whole text that the page is to have. Raises ``BadArgument``."""
    old: str = page["text"]
    if text is None and not edits:
        return old  # as it is, to the last end of line: then it makes no new version
    if section is None and text is not None:
        if expected_version is None:
            raise BadArgument(
                f"This page exists, at version {page['version']}. Read it, and give "
                "expected_version with the whole text; or use replace, or section."
            )
        if not text.strip():
            raise BadArgument("A page cannot be empty: use delete_wiki_page.")
        return text
    if section is None:
        return replaced(old, edits, "page")
    old = old.replace("\r\n", "\n")
    chosen = section_of(old, section)
    passage = old[chosen.start : chosen.end]
    if text is None:
        new = replaced(passage, edits, "section")
    else:
        own = begins_with_heading(text, old)
        heading = "" if own else f"{old[chosen.start : chosen.body]}\n\n"
        new = f"{heading}{text.strip()}\n".rstrip("\n") + passage[len(passage.rstrip("\n")) :]
    return old[: chosen.start] + new + old[chosen.end :]


async def _planned(redmine: Redmine, project: Record, page: Record, body: Record) -> Record:
    """The page as it would stand after a write. Raises ``BadArgument`` for a wrong place or title.

    Whether the role may move and rename, only Redmine knows.
    """
    parent: str | None = body.get("parent_title")
    title: str = body.get("title") or page["title"]
    if not parent and title == page["title"]:
        return page if parent is None else {**page, "parent": None}
    pages = await index_of(redmine, project)
    others = [one for one in pages if not same(one["title"], page["title"])]
    lower = {one["title"] for one in below(pages, page["title"])}
    above = next((one for one in others if same(one["title"], parent)), None) if parent else None
    taken = any(same(one["title"], title) for one in others)
    if taken or (parent and (above is None or above["title"] in lower)):
        raise await _refused(redmine, project, body)
    return {**page, "title": title} | ({} if parent is None else {"parent": above})


async def _put(
    redmine: Redmine, project: Record, title: str, body: dict[str, Any], before: Record | None
) -> Record:
    """Write, and return the page as it is then. Raises ``RedmineError``."""
    try:
        answer = await redmine.put(path_of(project, title), {"wiki_page": body})
    except Conflict:
        raise Conflict(
            "Somebody has changed this page just now, so nothing was written. Read it again first."
        ) from None
    except Forbidden as error:
        if error.code != Forbidden.code:
            raise
        raise Forbidden("You may not write this page: your role, or it is protected.") from None
    except Invalid as error:
        if error.messages:
            raise
        raise await _refused(redmine, project, body) from None
    if before is None and answer:
        made: Record = answer["wiki_page"]
        return made
    if "title" in body:
        renamed = await page_or_none(redmine, project, body["title"])
        if renamed:
            return renamed
    return await page_of(redmine, project, title)


async def _refused(redmine: Redmine, project: Record, body: dict[str, Any]) -> BadArgument:
    """Of what is wrong with title or parent Redmine says nothing."""
    titles = [page["title"] for page in await index_of(redmine, project)]
    reasons = []
    if body.get("parent_title"):
        reasons.append("the parent does not exist, or is this page or below it")
    reasons.append("the title is taken, or has more than 255 characters")
    return BadArgument(
        f"Redmine refuses this without saying why: {', or '.join(reasons)}. There are: ",
        named(titles, body.get("parent_title")),
        ".",
    )


def _dropped(body: dict[str, Any], after: Record) -> list[str]:
    """What was asked for and did not come about, without a word from Redmine."""
    found = []
    if _plain(after["text"]) != _plain(body["text"]):
        found.append("text")
    elif body["comments"] and (after.get("comments") or "") != body["comments"]:
        found.append("comment (Redmine keeps one only with a new text)")
    parent = body.get("parent_title")
    if parent is not None and not (
        same(parent_of(after), parent)
        if parent and parent_of(after)
        else parent == parent_of(after)
    ):
        found.append("parent (for a page that exists it takes rename_wiki_pages)")
    if "title" in body and after["title"] != body["title"]:
        found.append("new_title (it takes rename_wiki_pages)")
    return found


def _told(
    redmine: Redmine,
    project: Record,
    before: Record | None,
    after: Record,
    change: Difference,
    *,
    dropped: tuple[str, ...] | None = None,
) -> WrittenPage:
    old = before or {}
    title, parent = line(after["title"]), parent_of(after)
    former = line(old.get("title"))
    as_before = (former, parent_of(old), old.get("version"))
    outcome: Outcome = "created"
    if dropped is None:
        outcome = "dry run"
    elif before:
        outcome = "unchanged" if as_before == (title, parent, after["version"]) else "changed"
    return WrittenPage(
        outcome=outcome,
        project=project["identifier"],
        title=title,
        url=url_of(redmine, project, after["title"]),
        version=after.get("version"),
        version_before=old.get("version"),
        title_before=former if former != title else "",
        parent=parent,
        parent_before=parent_of(old) if parent_of(old) != parent else "",
        lines_new=change.new,
        lines_gone=change.gone,
        difference=change.shown,
        dropped=dropped or (),
    )


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n")
