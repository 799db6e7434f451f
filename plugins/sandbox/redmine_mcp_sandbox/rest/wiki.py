"""/projects/:id/wiki (Redmine's WikiController): pages and their versions.

Sections are left out: ``section`` and ``section_hash`` of a PUT are ignored here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from redmine_mcp_sandbox.rest.call import (
    EMPTY_TYPE,
    Call,
    answer,
    created,
    deny,
    done,
    invalid,
    named,
    not_found,
)
from redmine_mcp_sandbox.rest.caller import HaltError
from redmine_mcp_sandbox.rest.issue_json import attachment_fields
from redmine_mcp_sandbox.rest.operators import lower
from redmine_mcp_sandbox.rest.uploads import Uploads
from redmine_mcp_sandbox.seed import Project, WikiPage, WikiVersion
from redmine_mcp_sandbox.writing import values

MOST_COMMENT = 1024
MOST_TITLE = 255
PROTECTED = "sidebar"
"""A page of this title is protected from its beginning (``DEFAULT_PROTECTED_PAGES``)."""


def titleize(title: str) -> str:
    """What Redmine makes of a title (``Wiki.titleize``)."""
    kept = re.sub(r"\s+", "_", title, flags=re.ASCII).translate(str.maketrans("", "", ",./?;|:"))
    return kept[:1].upper() + kept[1:]


def index(call: Call) -> dict[str, Any]:
    project = _project(call, "view_wiki_pages")
    pages = [page for page in call.world.wiki_pages.values() if page.project_id == project.id]
    shown = []
    for page in sorted(pages, key=lambda page: lower(page.title)):
        newest = call.world.wiki_versions_of(page)[-1]
        shown.append(
            {
                **_names(call, page),
                "version": newest.version,
                "created_on": page.created_on,
                "updated_on": newest.updated_on,
            }
        )
    return {"wiki_pages": shown}


def show(call: Call) -> Response:
    project = _project(call, "view_wiki_pages")
    page = _page_or_redirect(call, project)
    if "version" in call.path and not call.viewer.allowed("view_wiki_edits", project):
        deny(call.viewer)  # whether or not there is such a page
    if page is None:
        not_found()
    versions = call.world.wiki_versions_of(page)
    if "version" not in call.path:
        return answer({"wiki_page": _fields(call, page, versions[-1])})
    wanted = values.integer(call.path["version"])
    version = next((one for one in versions if one.version == wanted), None)
    if version is None:
        not_found()
    return answer({"wiki_page": _fields(call, page, version)})


def update(call: Call) -> Response:
    project = _project(call, "edit_wiki_pages")
    title = _title(call, project)
    page = _page(call, project, title)
    if page is None and (target := call.world.wiki_redirects.get((project.id, lower(title)))):
        page = _page(call, project, target)  # what is written to an old title reaches the new one
    before = call.world.wiki_versions_of(page)[-1] if page else None
    draft = page or WikiPage(
        0, project.id, title, None, call.world.now(), protected=title.lower() == PROTECTED
    )
    _require_editable(call, project, draft)
    given = call.attributes("wiki_page")
    sane, draft = _assigned(call, draft, given)
    text = values.optional_text(given.get("text"))
    comments = values.optional_text(given.get("comments"))
    complaints = _complaints(text, comments)
    if before is None:
        if not sane or complaints:
            invalid(complaints if sane else [])
        draft = call.world.wiki_pages.add(draft)
        number = values.integer(given.get("version")) or 1
        _write(call, draft, WikiVersion(0, draft.id, number, call.me.id, text or "", comments, ""))
        _attach(call, draft, given)
        shown = _fields(call, draft, call.world.wiki_versions_of(draft)[-1])
        return created({"wiki_page": shown}, _path(project, draft))
    if not sane or complaints:
        invalid(complaints)
    if text != before.text:
        if given.get("version") and values.integer(given["version"]) != before.version:
            raise HaltError(Response(status_code=409, headers=EMPTY_TYPE))
        changed = replace(before, author_id=call.me.id, text=text or "", comments=comments)
        _write(call, draft, replace(changed, version=before.version + 1))
    if page and page.title != draft.title:
        call.world.wiki_redirects[project.id, lower(page.title)] = draft.title
        call.world.wiki_redirects.pop((project.id, lower(draft.title)), None)
    call.world.wiki_pages.put(draft)
    _attach(call, draft, given)
    return done()


def destroy(call: Call) -> Response:
    project = _project(call, "delete_wiki_pages")
    page = _found(call, project)
    _require_editable(call, project, page)
    world = call.world
    gone = [page, *(world.wiki_below(page) if call.params.get("todo") == "destroy" else ())]
    for one in gone:
        for child in world.wiki_children(one):
            world.wiki_pages.put(replace(child, parent_id=None))
        del world.wiki_pages[one.id]
    ids = {one.id for one in gone}
    titles = {one.title for one in gone}
    world.wiki_versions.delete_where(lambda version: version.page_id in ids)
    world.attachments.delete_where(lambda file: file.wiki_page_id in ids)
    for old, target in list(world.wiki_redirects.items()):
        if old[0] == project.id and target in titles:
            del world.wiki_redirects[old]
    return done()


def _project(call: Call, permission: str) -> Project:
    project = call.find_project(call.path["project_id"])
    call.require(permission, project)
    return project


def _title(call: Call, project: Project) -> str:
    """The page's title in the address; without one, that of the start page."""
    title = str(call.path.get("title", ""))
    if "." in title:  # to Rails that is another format
        raise HaltError(Response(status_code=404, media_type="text/html"))
    return titleize(title or call.world.wiki_start.get(project.id, "Wiki"))


def _page(call: Call, project: Project, title: str) -> WikiPage | None:
    wanted = lower(titleize(title))
    return next(
        (
            page
            for page in call.world.wiki_pages.values()
            if page.project_id == project.id and lower(page.title) == wanted
        ),
        None,
    )


def _found(call: Call, project: Project) -> WikiPage:
    """Raises ``HaltError``: 404, or 302 to the title that a page has now."""
    page = _page_or_redirect(call, project)
    if page is None:
        not_found()
    return page


def _page_or_redirect(call: Call, project: Project) -> WikiPage | None:
    title = _title(call, project)
    page = _page(call, project, title)
    if page is None and (target := call.world.wiki_redirects.get((project.id, lower(title)))):
        location = f"{call.base_url}/projects/{project.identifier}/wiki/{quote(target)}"
        headers = {"Location": location, "Cache-Control": "no-cache"}
        raise HaltError(Response(status_code=302, headers=headers, media_type="text/html"))
    return page


def _require_editable(call: Call, project: Project, page: WikiPage) -> None:
    if page.protected and not call.viewer.allowed("protect_wiki_pages", project):
        deny(call.viewer)


def _assigned(call: Call, page: WikiPage, given: dict[str, Any]) -> tuple[bool, WikiPage]:
    """The page with what the viewer may set, and whether that is valid."""
    project = call.world.projects[page.project_id]
    if given.get("is_start_page") in (True, "1") and call.viewer.allowed("manage_wiki", project):
        call.world.wiki_start[project.id] = page.title
    sane = len(page.title) <= MOST_TITLE and bool(page.title)
    if page.id and not call.viewer.allowed("rename_wiki_pages", project):
        return sane, page
    if "title" in given:
        renamed = titleize(values.text(given["title"]))
        other = _page(call, project, renamed)
        sane = bool(renamed) and len(renamed) <= MOST_TITLE and (not other or other.id == page.id)
        page = replace(page, title=renamed)
    if "parent_title" in given:
        parent = None
        if not values.blank(given["parent_title"]):
            parent = _page(call, project, values.text(given["parent_title"]))
            below = {page.id, *(one.id for one in call.world.wiki_below(page))}
            sane = sane and parent is not None and parent.id not in below
        page = replace(page, parent_id=parent.id if parent else None)
    return sane, page


def _complaints(text: str | None, comments: str | None) -> list[str]:
    found = ["Text field cannot be blank"] if values.blank(text) else []
    if len(comments or "") > MOST_COMMENT:
        found.append(f"Comment is too long (maximum is {MOST_COMMENT} characters)")
    return found


def _write(call: Call, page: WikiPage, version: WikiVersion) -> None:
    now = call.world.now()
    call.world.wiki_versions.add(replace(version, page_id=page.id, updated_on=now))


def _attach(call: Call, page: WikiPage, given: dict[str, Any]) -> None:
    for file in Uploads(call, given.get("uploads")).files:
        call.world.attachments.put(replace(file, wiki_page_id=page.id))


def _path(project: Project, page: WikiPage) -> str:
    return f"/projects/{project.identifier}/wiki/{quote(page.title)}"


def _names(call: Call, page: WikiPage) -> dict[str, Any]:
    parent = call.world.wiki_pages.get(page.parent_id or 0)
    return {"title": page.title} | ({"parent": {"title": parent.title}} if parent else {})


def _fields(call: Call, page: WikiPage, version: WikiVersion) -> dict[str, Any]:
    fields = {
        **_names(call, page),
        "text": version.text,
        "version": version.version,
        "author": named(call.world.users[version.author_id]),
        "comments": version.comments,
        "created_on": page.created_on,
        "updated_on": version.updated_on,
    }
    if "attachments" in call.includes:
        files = (f for f in call.world.attachments.values() if f.wiki_page_id == page.id)
        fields["attachments"] = [attachment_fields(call, file) for file in files]
    return fields
