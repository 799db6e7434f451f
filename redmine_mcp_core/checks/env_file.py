"""A ``.env`` file: what of it is changed, and what is left as it was."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

_PLAIN = re.compile(r"[\w@%+=:,./~*-]*")
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=")
_MODE = 0o600


def read(path: Path) -> dict[str, str]:
    """What it sets; {} where there is none. Raises ``OSError``, ``UnicodeDecodeError``."""
    if not path.exists():
        return {}
    return {name: value or "" for name, value in dotenv_values(path).items()}


def merged(text: str, values: Mapping[str, str]) -> str:
    """The text with these settings: each in its old place, the new ones at the end."""
    left = dict(values)
    lines = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None or match[1] not in values:
            lines.append(line)
        elif match[1] in left:
            lines.append(f"{match[1]}={_quoted(left.pop(match[1]))}")
    lines += [f"{name}={_quoted(value)}" for name, value in left.items()]
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> None:
    """Put a file in the place of this one, whole or not at all, for this user's eyes only.

    Raises ``OSError``.
    """
    path = path.resolve()
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
