"""Uploaded files, on their way to a record (``acts_as_attachable``)."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from redmine_mcp_sandbox.rest.call import Call
from redmine_mcp_sandbox.seed import Attachment
from redmine_mcp_sandbox.writing import values


def token_of(attachment: Attachment) -> str:
    return f"{attachment.id}.{hashlib.sha256(attachment.content).hexdigest()}"


class Uploads:
    """The files that ``uploads: [{"token": ...}]`` names."""

    def __init__(self, call: Call, given: Any) -> None:
        self.files: list[Attachment] = []
        failed = 0
        for wish in given if isinstance(given, list) else []:
            if not isinstance(wish, dict) or values.blank(wish.get("token")):
                continue
            file = self._find(call, values.text(wish["token"]))
            if file is None:
                failed += 1
                continue
            self.files.append(_described(file, wish))
        self.complaints = [f"{failed} file(s) could not be saved."] if failed else []

    @staticmethod
    def _find(call: Call, token: str) -> Attachment | None:
        """A file that is attached to nothing yet."""
        unattached = (
            one
            for one in call.world.attachments.values()
            if one.issue_id is None and one.wiki_page_id is None
        )
        return next((one for one in unattached if token_of(one) == token), None)


def clean_filename(name: str) -> str:
    """What Redmine leaves of a file's name (``Attachment#sanitize_filename``)."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join("_" if one in "?%*:|\"'<>\n\r" else one for one in last)


def _described(file: Attachment, wish: dict[str, Any]) -> Attachment:
    filename = wish.get("filename")
    kind = wish.get("content_type")
    return replace(
        file,
        filename=file.filename if values.blank(filename) else clean_filename(values.text(filename)),
        content_type=file.content_type if values.blank(kind) else values.text(kind),
        description=values.text(wish.get("description")).strip(),
    )
