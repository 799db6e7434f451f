"""Files of this computer: those below one folder, and whatever leads out of it leads nowhere."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from redmine_mcp_core import BadArgument, LocalFiles
from redmine_mcp_core.local_files import NO_LOCAL_FILES

SECRET = b"not yours"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An allowed folder, and a file beside it that is not."""
    allowed = tmp_path / "allowed"
    (allowed / "logs").mkdir(parents=True)
    (allowed / "logs/today.log").write_bytes(b"all is well")
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "allowed-too.txt").write_bytes(SECRET)
    return allowed


async def refusal(folder: Path, path: str, limit: int = 100) -> str:
    with pytest.raises(BadArgument) as caught:
        await LocalFiles(folder).read(path, limit=limit)
    return str(caught.value)


@pytest.mark.parametrize(
    "path", ["logs/today.log", "./logs/../logs/today.log", "{}/logs/today.log"]
)
async def test_a_file_below_the_folder_is_read(folder: Path, path: str) -> None:
    """By the part below the folder, or by its whole path."""
    file = await LocalFiles(folder).read(path.format(folder), limit=100)

    assert (file.name, file.content) == ("today.log", b"all is well")


def link(name: str, to: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        (folder / name).symlink_to(to)
        return name

    return make


def pipe(folder: Path) -> str:
    os.mkfifo(folder / "pipe")
    return "pipe"


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "../secret.txt",
        lambda _: "../allowed-too.txt",
        lambda _: "logs/../../secret.txt",
        lambda folder: str(folder.parent / "secret.txt"),
        lambda _: "/etc/passwd",
        lambda _: "/proc/self/environ",
        lambda _: "~/.ssh/id_ed25519",
        lambda _: "nothing.txt",
        lambda _: "",
        lambda _: ".",
        lambda _: "logs",
        lambda _: "a\0b",
        lambda _: "x" * 5000,
        link("out", "../secret.txt"),
        link("proc", "/proc/self/environ"),
        link("loop", "loop"),
        lambda folder: link("up", "..")(folder) + "/secret.txt",
        lambda folder: link("root", "/proc/self/root")(folder) + "/etc/passwd",
        pipe,
    ],
)
async def test_whatever_leads_elsewhere_is_refused(
    folder: Path, make: Callable[[Path], str]
) -> None:
    """In one sentence that tells nothing of what is there; a pipe is not waited for."""
    sentence = await refusal(folder, make(folder))

    assert "in the folder that was allowed." in sentence or "is no file." in sentence
    assert len(sentence) < 300


async def test_a_link_that_stays_below_the_folder_is_followed(folder: Path) -> None:
    """It is the person's own way to order files."""
    (folder / "latest").symlink_to("logs/today.log")

    assert (await LocalFiles(folder).read("latest", limit=100)).content == b"all is well"


async def test_a_socket_is_no_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything else that is not made of bytes at rest."""
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")

        assert "is no file." in await refusal(folder, "s")


async def test_a_larger_file_is_refused(folder: Path) -> None:
    """By what is read, not by what the file claims to be."""
    assert "more than 10 bytes" in await refusal(folder, "logs/today.log", limit=10)
    assert (await LocalFiles(folder).read("logs/today.log", limit=11)).content == b"all is well"


@pytest.fixture
def exchanging(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Somebody who puts a link to the secret in a file's place between the look and the opening,
    and the file back right after it."""
    file, aside = folder / "logs/today.log", folder / "logs/aside"
    real_open = os.open

    def opened(path: Path, flags: int) -> int:
        file.rename(aside)
        file.symlink_to(folder.parent / "secret.txt")
        handle = real_open(path, flags)
        file.unlink()
        aside.rename(file)
        return handle

    monkeypatch.setattr(os, "open", opened)
    return file


async def test_a_file_cannot_be_exchanged_under_our_hands(exchanging: Path) -> None:
    """What was opened is compared with what lies below the folder."""
    sentence = await refusal(exchanging.parents[1], "logs/today.log")

    assert "in the folder that was allowed." in sentence


async def test_nobody_elsewhere_has_files_here() -> None:
    """Over HTTP they would be the server's own: the sentence says what to do instead."""
    with pytest.raises(BadArgument, match="MCP_FILES_FOLDER"):
        await NO_LOCAL_FILES.read("a.txt", limit=1)


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/sys", "/dev", "/nowhere"])
def test_a_folder_of_everything_is_not_allowed(path: str) -> None:
    """Nor is one whose files are made up by the system, nor one that there is not."""
    with pytest.raises(ValueError, match=path):
        LocalFiles(Path(path))


def test_a_file_is_no_folder(folder: Path) -> None:
    """A setting that names one is a mistake."""
    with pytest.raises(ValueError, match="is no folder"):
        LocalFiles(folder / "logs/today.log")
