"""Files: /attachments, their download, and /uploads (Redmine's AttachmentsController)."""

from __future__ import annotations

import base64
import mimetypes
import secrets
import unicodedata
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from redmine_mcp_sandbox import pages
from redmine_mcp_sandbox.rest.call import EMPTY_TYPE, Call, created, deny, done, invalid
from redmine_mcp_sandbox.rest.caller import HaltError
from redmine_mcp_sandbox.rest.issue_json import attachment_fields
from redmine_mcp_sandbox.rest.uploads import clean_filename, token_of
from redmine_mcp_sandbox.seed import Attachment
from redmine_mcp_sandbox.writing import journals, values
from redmine_mcp_sandbox.writing.journals import Scribe

MAX_BYTES = 5 * 1024 * 1024
TOO_LARGE = (
    f"This file cannot be uploaded because it exceeds the maximum allowed file size ({MAX_BYTES})"
)
# Any permission to add or edit something, in any project, is good for an upload.
UPLOAD = (
    "add_issues edit_issues edit_own_issues copy_issues add_issue_notes manage_news add_documents"
    " edit_documents manage_files edit_wiki_pages add_messages edit_messages edit_own_messages"
).split()


def show(call: Call) -> dict[str, Any]:
    attachment = call.find(call.world.attachments, call.path["id"])
    if not _is_visible(call, attachment):
        deny(call.viewer)
    return {"attachment": attachment_fields(call, attachment)}


def update(call: Call) -> Response:
    attachment = _editable(call)
    given = call.attributes("attachment")
    wished = {
        name: values.optional_text(given[name])
        for name in ("filename", "content_type", "description")
        if name in given
    }
    if "filename" in wished:
        wished["filename"] = clean_filename(wished["filename"] or "")
    changed = replace(attachment, **wished)  # type: ignore[arg-type]
    if values.blank(changed.filename):
        invalid(["File cannot be blank"])
    call.world.attachments.put(changed)
    return done()


def destroy(call: Call) -> Response:
    attachment = _editable(call)
    del call.world.attachments[attachment.id]
    if attachment.issue_id is not None:
        issue = call.world.issues[attachment.issue_id]
        Scribe(call.viewer).write(issue, [journals.detached(attachment)])
    return done()


def download(call: Call) -> Response:
    """The file itself; refusals are pages, as for a browser."""
    attachment = call.world.attachments.get(values.integer(call.path["id"]) or 0)
    name = call.path.get("filename")
    if attachment is None or (name is not None and name != attachment.filename):
        return pages.error_page("404", "The page you were looking for doesn't exist.", 404)
    if not _is_visible(call, attachment):
        return _refuse(call)
    kind = attachment.content_type or "application/octet-stream"
    if kind == "application/octet-stream":
        kind = mimetypes.guess_type(attachment.filename)[0] or kind
    ascii_name = unicodedata.normalize("NFKD", attachment.filename).encode("ascii", "ignore")
    disposition = "inline" if attachment.filename.lower().endswith(".pdf") else "attachment"
    names = f"filename=\"{ascii_name.decode()}\"; filename*=UTF-8''{quote(attachment.filename)}"
    return Response(
        attachment.content,
        headers={
            "Content-Type": kind,
            "Content-Disposition": f"{disposition}; {names}",
            "Content-Transfer-Encoding": "binary",
            "Cache-Control": "max-age=0, private, must-revalidate",
            "X-Content-Type-Options": "nosniff",
        },
    )


def upload(call: Call) -> Response:
    call.require_one_of(UPLOAD, None)
    if call.upload is None:
        raise HaltError(Response(status_code=406, headers=EMPTY_TYPE))
    if len(call.upload) > MAX_BYTES:
        invalid([TOO_LARGE])
    filename = clean_filename(call.query.get("filename") or secrets.token_hex(16))
    content = base64.b64encode(call.upload).decode()
    # Redmine guesses the type by the name, unless it is told.
    kind = call.query.get("content_type") or mimetypes.guess_type(filename)[0]
    attachment = call.world.attachments.add(
        Attachment(0, None, filename, kind, None, call.me.id, call.world.now(), content)
    )
    return created({"upload": {"id": attachment.id, "token": token_of(attachment)}})


def _is_visible(call: Call, attachment: Attachment) -> bool:
    """A file goes with its issue or page; one attached to nothing, with who uploaded it."""
    if attachment.wiki_page_id is not None:
        page = call.world.wiki_pages[attachment.wiki_page_id]
        return call.viewer.allowed("view_wiki_pages", call.world.projects[page.project_id])
    if attachment.issue_id is None:
        return call.viewer.is_me(attachment.author_id)
    return call.viewer.may_open(call.world.issues[attachment.issue_id])


def _editable(call: Call) -> Attachment:
    attachment = call.find(call.world.attachments, call.path["id"])
    allowed = _is_visible(call, attachment)
    if attachment.issue_id is not None:
        allowed = allowed and call.viewer.may_edit(call.world.issues[attachment.issue_id])
    if attachment.wiki_page_id is not None:
        page = call.world.wiki_pages[attachment.wiki_page_id]
        project = call.world.projects[page.project_id]
        needed = ("edit_wiki_pages", "delete_wiki_pages_attachments")
        allowed = allowed and call.viewer.allowed_one_of(needed, project)
    if not allowed:
        deny(call.viewer)
    return attachment


def _refuse(call: Call) -> Response:
    if call.viewer.user is not None:
        return pages.error_page("403", "You are not authorized to access this page.", 403)
    here = quote(f"{call.base_url}{call.url_path}", safe="")
    headers = {"Cache-Control": "no-cache", "Content-Type": "text/html; charset=utf-8"}
    return RedirectResponse(f"{call.base_url}/login?back_url={here}", 302, headers)
