"""Files of this computer: those below one folder, and whatever leads out of it leads nowhere.

It is so for what is read and for what is saved.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from redmine_mcp_core import BadArgument, LocalFiles
from redmine_mcp_core.tools.local_files import NO_LOCAL_FILES

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
    """Over HTTP they would be the server's own: the sentence says where they are not."""
    with pytest.raises(BadArgument, match="MCP_FILES_FOLDER"):
        await NO_LOCAL_FILES.read("a.txt", limit=1)
    with pytest.raises(BadArgument, match="MCP_FILES_FOLDER"):
        await NO_LOCAL_FILES.save("a.txt", b"a")


async def not_saved(folder: Path, path: str) -> str:
    with pytest.raises(BadArgument) as caught:
        await LocalFiles(folder).save(path, b"new")
    return str(caught.value)


def all_below(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, as it is there and not where a link leads."""
    return {
        str(path.relative_to(folder)): b"" if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("path", ["new.txt", "logs/new.txt", "./logs//new.txt", "{}/logs/new.txt"])
async def test_a_new_file_is_saved_below_the_folder(folder: Path, path: str) -> None:
    """The answer is its path there, and nobody else may read it."""
    saved = await LocalFiles(folder).save(path.format(folder), b"new")

    assert saved in {"new.txt", "logs/new.txt"}
    assert (folder / saved).read_bytes() == b"new"
    assert (folder / saved).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "make",
    [
        lambda _: "../new.txt",
        lambda _: "logs/../../new.txt",
        lambda _: "logs/../new.txt",
        lambda folder: str(folder.parent / "new.txt"),
        lambda folder: f"{folder}/../new.txt",
        lambda folder: f"{folder}-too/new.txt",
        lambda _: "~/new.txt",
        lambda _: "nowhere/new.txt",
        lambda _: "logs/today.log/new.txt",
        lambda _: "",
        lambda _: ".",
        lambda folder: str(folder),
        lambda _: "logs",
        lambda _: ".bashrc",
        lambda _: ".ssh/authorized_keys",
        lambda _: "a\0b",
        lambda _: "a\nb",
        lambda _: "log\u202egpj.exe",
        lambda _: "x" * 256,
        lambda _: "ü" * 128,
        lambda _: "\udcff",
        lambda _: "logs/today.log",
        link("out", "../new.txt"),
        link("out", "../secret.txt"),
        link("out", "nothing-yet"),
        lambda folder: link("up", "..")(folder) + "/new.txt",
        lambda folder: link("sub", "logs")(folder) + "/new.txt",
        lambda folder: link("root", "/proc/self/root")(folder) + f"{folder.parent}/new.txt",
        pipe,
    ],
)
async def test_nothing_else_is_saved(folder: Path, make: Callable[[Path], str]) -> None:
    """Elsewhere, over what is there, through a link, under a name that hides: nothing changes."""
    path = make(folder)
    before = all_below(folder.parent)

    sentence = await not_saved(folder, path)

    assert len(sentence) < 400
    assert all_below(folder.parent) == before


def put_in_its_place(path: Path, to: Path) -> None:
    """A link where a folder was, which is moved away."""
    path.rename(path.with_name("moved"))
    path.symlink_to(to)


@pytest.mark.parametrize("swapped", ["logs", "."])
async def test_a_folder_cannot_be_exchanged_under_our_hands(
    folder: Path, monkeypatch: pytest.MonkeyPatch, swapped: str
) -> None:
    """What is written goes into the folder that was opened, wherever its name leads by then."""
    elsewhere = folder.parent / "elsewhere"
    (elsewhere / "logs").mkdir(parents=True)
    real_open, place = os.open, (folder / swapped).resolve()

    def opened(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        handle = real_open(path, flags, mode, dir_fd=dir_fd)
        if path == (str(folder) if swapped == "." else swapped):
            put_in_its_place(place, elsewhere / swapped)
        return handle

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "supports_dir_fd", {opened})
    await LocalFiles(folder).save("logs/new.txt", b"new")

    assert list(all_below(elsewhere)) == []
    (new,) = folder.parent.rglob("new.txt")
    assert place.with_name("moved") in new.parents


async def test_an_allowed_folder_that_became_a_link_is_not_followed(folder: Path) -> None:
    """It was allowed as it was when the server started."""
    files = LocalFiles(folder)
    put_in_its_place(folder, folder.parent)

    with pytest.raises(BadArgument):
        await files.save("new.txt", b"new")

    assert not (folder.parent / "new.txt").exists()


async def test_what_could_not_be_written_whole_is_not_left(folder: Path) -> None:
    """A disk that is full leaves no half of a file, and the sentence says why."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
    try:
        with pytest.raises(BadArgument, match="could not be written: File too large"):
            await LocalFiles(folder).save("new.txt", b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)

    assert not (folder / "new.txt").exists()


async def test_of_two_at_once_one_is_saved(folder: Path) -> None:
    """And the other one is told that it is there."""
    files = LocalFiles(folder)

    done = await asyncio.gather(
        *(files.save("new.txt", bytes([number])) for number in range(8)), return_exceptions=True
    )

    assert [one for one in done if isinstance(one, str)] == ["new.txt"]
    assert sum(isinstance(one, BadArgument) for one in done) == 7


@pytest.mark.parametrize("path", ["/", "/proc", "/proc/self", "/sys", "/dev", "/nowhere"])
def test_a_folder_of_everything_is_not_allowed(path: str) -> None:
    """Nor is one whose files are made up by the system, nor one that there is not."""
    with pytest.raises(ValueError, match=path):
        LocalFiles(Path(path))


def test_a_file_is_no_folder(folder: Path) -> None:
    """A setting that names one is a mistake."""
    with pytest.raises(ValueError, match="is no folder"):
        LocalFiles(folder / "logs/today.log")
