"""Files of this computer, from one folder that was allowed and from nowhere else.

They are the caller's own only where the server runs on the caller's computer and for nobody else
(stdio). Over HTTP they would be the server's, so there nobody is handed a folder.

A path is what a model was told, perhaps by a stranger's text. It is followed to its end, through
symbolic links, before the file is opened and once more afterwards: what was opened has to be the
very file that lies below the folder, so that nothing is gained by exchanging one in between.
"""

from __future__ import annotations

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from redmine_mcp_core.redmine import BadArgument

_NOT_FILES = tuple(Path(path) for path in ("/proc", "/sys", "/dev"))
"""What lies there is made up while it is read, and tells of this computer."""
_OPENING = os.O_RDONLY | getattr(os, "O_BINARY", 0)
# Neither waiting for somebody at the other end of a pipe, nor becoming a terminal's process.
_OPENING |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_OPENING |= getattr(os, "O_CLOEXEC", 0)

ELSEWHERE = (
    "Files are read by their path only where this server runs on your own computer and "
    "MCP_FILES_FOLDER names a folder. Give the file as text or base64_content instead."
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
