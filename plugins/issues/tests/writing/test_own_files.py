"""attach_local_file and save_attachment: files of the computer on which the server runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from redmine_mcp_issues import own_files

from redmine_mcp_core import LocalFiles
from redmine_mcp_core.testing import text_of

ATTACH, SAVE = "attach_local_file", "save_attachment"


async def test_a_file_of_this_computer_is_attached(redmine: Any, tmp_path: Path) -> None:
    """By its path below the folder that was allowed, under its own name or another."""
    (tmp_path / "trace.log").write_text("first line", encoding="utf-8")
    async with redmine.as_(files=LocalFiles(tmp_path)) as call:
        await call(ATTACH, issue_id=11, path="trace.log")
        await call(ATTACH, issue_id=11, path=str(tmp_path / "trace.log"), filename="again.log")
        outside = await call(ATTACH, issue_id=11, path="../trace.log")

    files = (await redmine.issue(11, "attachments"))["attachments"]
    assert {file["filename"]: file["filesize"] for file in files} == {
        "trace.log": 10,
        "again.log": 10,
    }
    assert "There is no file" in text_of(outside)


async def test_an_attachment_is_saved(redmine: Any, tmp_path: Path) -> None:
    """Byte by byte, under its own name or in a folder that is there; the answer says where."""
    (tmp_path / "logs").mkdir()
    async with redmine.as_(files=LocalFiles(tmp_path)) as call:
        own = await call(SAVE, issue_id=1, attachment_id=1)
        other = await call(SAVE, issue_id=1, attachment_id=1, path="logs/t.txt")

    assert (tmp_path / "timings.txt").read_bytes() == (tmp_path / "logs/t.txt").read_bytes()
    assert own.structured_content == {
        "issue_id": 1,
        "attachment_id": 1,
        "path": "timings.txt",
        "size": (tmp_path / "timings.txt").stat().st_size,
    }
    assert "logs/t.txt" in text_of(other)


async def test_nothing_is_overwritten(redmine: Any, tmp_path: Path) -> None:
    """A file that is there stays as it is, and another name is asked for."""
    (tmp_path / "timings.txt").write_text("mine", encoding="utf-8")
    async with redmine.as_(files=LocalFiles(tmp_path)) as call:
        result = await call(SAVE, issue_id=1, attachment_id=1)

    assert "There is one already, and nothing is overwritten" in text_of(result)
    assert (tmp_path / "timings.txt").read_text(encoding="utf-8") == "mine"


async def test_only_a_file_of_the_issue_is_saved(redmine: Any, tmp_path: Path) -> None:
    """Redmine hands out those of anything else by the same ids."""
    async with redmine.as_(files=LocalFiles(tmp_path)) as call:
        result = await call(SAVE, issue_id=11, attachment_id=1)

    assert "File 1 of #11 does not exist" in text_of(result)
    assert not any(os.scandir(tmp_path))


async def test_a_file_that_is_too_large_is_not_fetched(
    redmine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be in memory before it is on the disk."""
    monkeypatch.setattr(own_files, "MAX_SAVED", 10)
    async with redmine.as_(files=LocalFiles(tmp_path)) as call:
        result = await call(SAVE, issue_id=1, attachment_id=1)

    assert "; 10 are the most." in text_of(result)
    assert redmine.asked == ["GET /issues/1.json"]
    assert not any(os.scandir(tmp_path))


@pytest.mark.parametrize("tool", [ATTACH, SAVE])
async def test_files_of_the_server_are_nobodys(redmine: Any, tool: str) -> None:
    """Over HTTP these tools are not there; whoever calls one reads where they are."""
    async with redmine.client() as client:
        names = {one.name for one in await client.list_tools()}
        found = text_of(await client.call_tool("find_tools", {"query": tool.replace("_", " ")}))
        arguments = {"issue_id": 1, "attachment_id": 1, "path": "a.txt"}
        result = await client.call_tool(tool, arguments, raise_on_error=False)

    assert tool not in names
    assert tool not in found
    assert "works with files of your own computer" in text_of(result)
    assert redmine.asked == []


async def test_they_are_found_where_there_is_a_folder(redmine: Any, tmp_path: Path) -> None:
    """As any tool that is not listed."""
    async with redmine.client(files=LocalFiles(tmp_path)) as client:
        found = await client.call_tool("find_tools", {"query": "save an attachment"})

    assert SAVE in text_of(found)
