"""Files of this computer, from one folder that was allowed and from nowhere else.

They are the caller's own only where the server runs on the caller's computer and for nobody else
(stdio). Over HTTP they would be the server's, so there nobody is handed a folder.

A path is what a model was told, perhaps by a stranger's text. To read, it is followed to its end,
through symbolic links, before the file is opened and once more afterwards: what was opened has to
be the very file that lies below the folder, so that nothing is gained by exchanging one in between.
To write, no link is followed at all: each folder is opened in the one before it, and the file must
be a new one. Names that begin with a dot are refused: programs obey such files, and nobody sees
them.
"""

from __future__ import annotations

import asyncio
import os
import stat
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from redmine_mcp_core.redmine import BadArgument

_NOT_FILES = tuple(Path(path) for path in ("/proc", "/sys", "/dev"))
"""What lies there is made up while it is read, and tells of this computer."""
_OPENING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
# Neither waiting for somebody at the other end of a pipe, nor becoming a terminal's process.
_OPENING |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_OPENING |= getattr(os, "O_CLOEXEC", 0)

_CREATING = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_CREATING |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_INTO = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_SHOWN = 200
"""Characters of a path, in an error. It may be the name that a stranger gave to an attachment."""
_LONGEST_NAME = 255
"""Bytes, as most file systems have it."""

ELSEWHERE = (
    "Files are read and saved only where this server runs on your own computer and "
    "MCP_FILES_FOLDER names a folder."
)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file as it was read."""

    name: str
    """Without its folder."""
    content: bytes


class LocalFiles:
    """The files below one folder, at any depth; without a folder, none."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises ``ValueError``, with a sentence, for a folder that cannot be allowed."""
        self._folder = None if folder is None else _allowed(folder)

    @property
    def folder(self) -> Path | None:
        """Where they lie, without symbolic links in it."""
        return self._folder

    async def read(self, path: str, *, limit: int) -> LocalFile:
        """A regular file of at most ``limit`` bytes, by its path or by the part below the folder.

        Raises ``BadArgument``; for a path elsewhere it does not tell whether there is a file.
        """
        if self._folder is None:
            raise BadArgument(ELSEWHERE)
        return await asyncio.to_thread(_read, self._folder, path, limit)

    async def save(self, path: str, content: bytes) -> str:
        """Write a new file, which only its owner may read; answers with its path below the folder.

        The folders on its way have to be there. Raises ``BadArgument``: also for a path that is
        taken, since nothing is ever overwritten.
        """
        if self._folder is None:
            raise BadArgument(ELSEWHERE)
        if os.open not in os.supports_dir_fd:
            raise BadArgument("This operating system lets no file be saved safely.")
        return await asyncio.to_thread(_save, self._folder, path, content)


NO_LOCAL_FILES = LocalFiles()
"""What a caller has who is somewhere else."""


def _allowed(folder: Path) -> Path:
    try:
        found = folder.expanduser().resolve(strict=True)
    except (OSError, RuntimeError):
        raise ValueError(f"There is no folder {folder}.") from None
    if not found.is_dir():
        raise ValueError(f"{folder} is no folder.")
    if found == Path(found.anchor) or any(found.is_relative_to(path) for path in _NOT_FILES):
        raise ValueError(f"{folder} is no folder of files: name one with what may be attached.")
    return found


def _read(folder: Path, path: str, limit: int) -> LocalFile:
    outside = BadArgument(f"There is no file “{path[:200]}” in the folder that was allowed.")
    try:
        wanted = _below(folder, folder / path)
        if not stat.S_ISREG(wanted.stat().st_mode):
            raise BadArgument(f"“{path[:200]}” is no file.")
        handle = os.open(wanted, _OPENING)
    except (OSError, ValueError, RuntimeError):
        raise outside from None
    with open(handle, "rb") as file:  # noqa: PTH123 - it is open already
        try:
            opened, there = os.fstat(handle), _below(folder, wanted).stat()
        except (OSError, ValueError, RuntimeError):
            raise outside from None
        if not (os.path.samestat(opened, there) and stat.S_ISREG(opened.st_mode)):
            raise outside
        content = file.read(limit + 1)
    if len(content) > limit:
        raise BadArgument(f"“{path[:200]}” has more than {limit} bytes, which are the most.")
    return LocalFile(wanted.name, content)


def _below(folder: Path, path: Path) -> Path:
    """The path without symbolic links. Raises ``ValueError`` if it leads out of the folder."""
    found = path.resolve(strict=True)
    if found == folder or not found.is_relative_to(folder):
        raise ValueError("outside")
    return found


def _save(folder: Path, path: str, content: bytes) -> str:
    *above, name = parts = _parts(folder, path)
    shown = path[:_SHOWN]
    with ExitStack() as stack:
        try:
            here = _opened(stack, str(folder))
            for part in above:
                here = _opened(stack, part, inside=here)
        except OSError:
            raise BadArgument("There is no such folder to save in: ", shown, ".") from None
        try:
            handle = os.open(name, _CREATING, 0o600, dir_fd=here)
        except FileExistsError:
            problem = "There is one already, and nothing is overwritten: "
            raise BadArgument(problem, shown, ". Give another path.") from None
        except OSError:
            raise BadArgument("There can be no file of this path: ", shown, ".") from None
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - it is open already
                file.write(content)
        except OSError as error:
            with suppress(OSError):
                os.unlink(name, dir_fd=here)
            raise BadArgument(f"The file could not be written: {error.strerror}.") from None
    return "/".join(parts)


def _opened(stack: ExitStack, name: str, *, inside: int | None = None) -> int:
    """A folder that is no symbolic link, until the stack ends. Raises ``OSError``."""
    handle = os.open(name, _INTO, dir_fd=inside)
    stack.callback(os.close, handle)
    return handle


def _parts(folder: Path, path: str) -> tuple[str, ...]:
    """The names that lead from the folder to a new file. Raises ``BadArgument``."""
    wanted = PurePath(path)
    if wanted.is_absolute():
        if not wanted.is_relative_to(folder):
            raise BadArgument("The folder that was allowed does not hold ", path[:_SHOWN], ".")
        wanted = wanted.relative_to(folder)
    if not wanted.parts:
        raise BadArgument("A path names the file to save.")
    for part in wanted.parts:
        if part.startswith(".") or not part.isprintable():
            problem = "No name may begin with a dot or hold what nobody sees: "
            raise BadArgument(problem, path[:_SHOWN], ". Give another path.")
        if len(part.encode(errors="replace")) > _LONGEST_NAME:
            raise BadArgument("This name is too long: ", part[:_SHOWN], ". Give another path.")
    return wanted.parts
