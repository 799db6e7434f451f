"""get_attachment, add_attachment and delete_attachment."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from mcp_types import ImageContent
from redmine_mcp_issues import attachments
from redmine_mcp_issues.files import image_type
from redmine_mcp_issues.files import text_of as decoded

from redmine_mcp_core.testing import text_of

NEW = {"issue": {"project_id": 1, "subject": "Mine"}}
READ, ADD, DELETE = "get_attachment", "add_attachment", "delete_attachment"


async def files_of(redmine: Any, issue_id: int = 1) -> dict[str, dict[str, Any]]:
    issue = await redmine.issue(issue_id, "attachments")
    return {file["filename"]: file for file in issue["attachments"]}


async def test_a_text_is_read_as_text(redmine: Any) -> None:
    """Between marks with its name, in two questions to Redmine."""
    async with redmine.as_() as call:
        result = await call(READ, issue_id=1, attachment_id=1)

    lines = text_of(result).splitlines()
    assert lines[1:-1] == [
        "timings.txt (text/plain, 43 B)",
        "",
        "login page",
        "first byte 840 ms",
        "ready 3120 ms",
    ]
    assert redmine.asked == ["GET /issues/1.json", "GET /attachments/download/1"]


async def test_an_image_is_seen(redmine: Any) -> None:
    """As an image, beside a line that says what it is; programs get no bytes of it."""
    async with redmine.as_() as call:
        result = await call(READ, issue_id=1, attachment_id=2)

    (image,) = [block for block in result.content if isinstance(block, ImageContent)]
    assert image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    assert "form.png (image/png, 70 B)" in text_of(result)
    assert image.data not in str(result.structured_content)


async def test_what_is_neither_is_described(redmine: Any) -> None:
    """With where a person opens it, and without guessing at its bytes."""
    async with redmine.as_() as call:
        added = await call(ADD, issue_id=11, filename="a.bin", base64_content="AAECAw==")
        number = added.structured_content["attachment_id"]
        result = await call(READ, issue_id=11, attachment_id=number)

    assert "It is neither text nor an image. A person opens it at http" in text_of(result)
    assert text_of(result).endswith(f"/attachments/{number}")


async def test_a_large_file_is_not_fetched(redmine: Any, monkeypatch: Any) -> None:
    """Its size is known before, so that Redmine is not asked for it."""
    monkeypatch.setattr(attachments, "MAX_BYTES", 42)
    async with redmine.as_() as call:
        result = await call(READ, issue_id=1, attachment_id=1)

    assert "It is larger than" in text_of(result)
    assert redmine.asked == ["GET /issues/1.json"]


async def test_a_long_text_comes_in_pages(redmine: Any) -> None:
    """Following what each answer says next gives all of it, and no more than that."""
    whole = "".join(f"line {number}\n" for number in range(2500))
    parts, offset = [], 0
    async with redmine.as_() as call:
        added = await call(ADD, issue_id=11, filename="long.log", text=whole)
        where = {"issue_id": 11, "attachment_id": added.structured_content["attachment_id"]}
        while offset is not None:
            page = await call(READ, **where, offset=offset)
            assert len(text_of(page)) < 10_200
            parts.append(page.structured_content["content"])
            offset = page.structured_content.get("next_offset")
            assert offset is None or text_of(page).endswith(f"more characters: offset={offset}")
        beyond = await call(READ, **where, offset=len(whole))

    assert "".join(parts) == whole
    assert "offset is beyond them" in text_of(beyond)


@pytest.mark.parametrize("tool", [READ, DELETE])
async def test_files_of_something_else_are_not_touched(redmine: Any, tool: str) -> None:
    """Redmine would hand out and delete any file by its id; only the issue's own are."""
    theirs = next(iter((await redmine.issue(1, "attachments"))["attachments"]))["id"]
    async with redmine.as_() as call:
        result = await call(tool, issue_id=11, attachment_id=theirs)

    assert (
        text_of(result)
        == f"File {theirs} of #11 does not exist, or you may not see it. [not_found]"
    )
    assert redmine.asked == ["GET /issues/11.json"]


@pytest.mark.parametrize("login", ["alice", "carol"])
async def test_a_file_is_attached_with_a_note(redmine: Any, login: str) -> None:
    """By whoever may comment, as Redmine has it, and with its description."""
    async with redmine.as_(login) as call:
        result = await call(
            ADD, issue_id=1, filename="log.txt", text="héllo", description="the log", notes="See."
        )

    file = (await files_of(redmine))["log.txt"]
    assert text_of(result).splitlines()[0] == f"File {file['id']} attached to #1, with a note."
    assert (file["filesize"], file["description"]) == (6, "the log")
    assert (await redmine.issue(1))["journals"][-1]["notes"] == "See."


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "Give either text or base64_content."),
        ({"text": "a", "base64_content": "YQ=="}, "Give either text or base64_content."),
        ({"base64_content": "?"}, "base64_content is not base64."),
        ({"text": ""}, "The file is empty"),
        ({"text": "a", "filename": " "}, "filename is empty."),
        ({"text": "x" * (5 * 1024 * 1024 + 1)}, "are the most."),
    ],
    ids=["nothing", "both", "not base64", "empty", "nameless", "large"],
)
async def test_what_is_no_file_is_not_sent(
    redmine: Any, arguments: dict[str, Any], problem: str
) -> None:
    """One sentence, and Redmine is not asked."""
    async with redmine.as_() as call:
        result = await call(ADD, **{"issue_id": 1, "filename": "a.txt", **arguments})

    assert problem in text_of(result)
    assert redmine.asked == []


async def test_a_note_meant_to_be_private_does_not_become_public(redmine: Any) -> None:
    """Redmine would drop the flag and keep the text; so nothing is sent, the file neither."""
    async with redmine.as_("carol") as call:
        result = await call(
            ADD, issue_id=1, filename="a.txt", text="a", notes="secret", private_notes=True
        )

    assert "It would become public" in text_of(result)
    assert redmine.writes == []


@pytest.mark.parametrize(("login", "issue_id"), [("carol", 7), ("alice", 99999)])
async def test_a_file_that_could_not_be_attached_is_deleted_again(
    redmine: Any, login: str, issue_id: int
) -> None:
    """Redmine takes the file first, and would keep it; a hidden issue is one there is not."""
    async with redmine.as_(login) as call:
        result = await call(ADD, issue_id=issue_id, filename="a.txt", text="a")

    assert text_of(result).startswith(f"Issue #{issue_id} does not exist")
    _, _, deleted, *_ = redmine.writes
    assert deleted.startswith("DELETE /attachments/")
    async with redmine.http(login) as http:
        gone = await http.get(deleted.removeprefix("DELETE "))
    assert gone.status_code == 404


async def test_an_issue_of_ones_own_may_lose_its_files(redmine: Any) -> None:
    """A sign-in for one's own issues will do for those, and for no others."""
    own = ["view_issues", "add_issue_notes", "edit_own_issues"]
    async with redmine.as_(scopes=own) as call:
        mine = (await redmine.ask("alice", "POST", "/issues.json", json=NEW))["issue"]["id"]
        added = await call(ADD, issue_id=mine, filename="a.txt", text="a")
        number = added.structured_content["attachment_id"]
        done = await call(DELETE, issue_id=mine, attachment_id=number, confirm=True)
        refused = await call(DELETE, issue_id=1, attachment_id=1, confirm=True)

    assert text_of(done).startswith(f"File {number} deleted from #{mine}.")
    assert "This sign-in was not granted edit_issues" in text_of(refused)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_file_is_deleted_after_a_yes(redmine: Any, agreeing: Any, mode: Any) -> None:
    """The person reads which one of which issue."""
    async with redmine.before(agreeing, mode) as client:
        result = await client.call_tool(DELETE, {"issue_id": 1, "attachment_id": 1})

    (question,) = agreeing.asked
    assert question.startswith("Delete file 1 of #1 for good?\n«")
    assert "timings.txt (43 B)" in question
    assert text_of(result).startswith("File 1 deleted from #1.")
    assert "timings.txt" not in await files_of(redmine)


async def test_a_no_keeps_the_file(redmine: Any, declining: Any) -> None:
    """And so does a client that cannot ask."""
    arguments = {"issue_id": 1, "attachment_id": 1}
    async with redmine.before(declining) as client:
        refused = await client.call_tool(DELETE, arguments, raise_on_error=False)
    async with redmine.as_() as call:
        unasked = await call(DELETE, **arguments)

    assert "[not_confirmed]" in text_of(refused)
    assert "[not_confirmed]" in text_of(unasked)
    assert "timings.txt" in await files_of(redmine)


async def test_a_sign_in_that_may_only_look_cannot_delete_a_file(redmine: Any) -> None:
    """Redmine itself looks at the role alone here, and would let it."""
    async with redmine.as_(scopes=["view_issues"]) as call:
        result = await call(DELETE, issue_id=1, attachment_id=1, confirm=True)

    assert result.is_error
    assert redmine.asked == []


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg/>", None),
        (b"", None),
    ],
)
def test_an_image_is_known_by_its_beginning(content: bytes, kind: str | None) -> None:
    """Whatever its name and its type claim."""
    assert image_type(content) == kind


@pytest.mark.parametrize(
    ("content", "kind", "text"),
    [
        (b"\xef\xbb\xbfa", "", "a"),
        ("aä".encode("utf-16"), "", "aä"),
        (b"a\xe4", "text/plain", "aä"),
        (b"a\xe4", "application/pdf", None),
        (b"a\0", "text/plain", None),
        (b"\xff\xfea", "", None),
    ],
)
def test_a_text_is_read_in_its_encoding(content: bytes, kind: str, text: str | None) -> None:
    """Unicode by its marks, Latin-1 only of what says that it is text, and no binary."""
    assert decoded(content, kind) == text
