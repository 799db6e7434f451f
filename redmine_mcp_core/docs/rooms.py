"""The rooms of the core, each with what it says of itself first (``make docs``)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_CORE = Path(__file__).parent.parent


def folders() -> str:
    """A line for each package of the core, in Markdown."""
    return _table("Folder", ((path.parent, "/") for path in _CORE.glob("*/__init__.py")))


def modules() -> str:
    """A line for each module beside them, in Markdown."""
    return _table("Module", ((path, "") for path in _CORE.glob("[!_]*.py")))


def _table(heading: str, rooms: Iterator[tuple[Path, str]]) -> str:
    rows = [f"| `{path.name}{end}` | {_first_line(path)} |" for path, end in sorted(rooms)]
    return "\n".join([f"| {heading} | What for |", "|---|---|", *rows])


def _first_line(path: Path) -> str:
    file = path / "__init__.py" if path.is_dir() else path
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0].replace("``", "`")
