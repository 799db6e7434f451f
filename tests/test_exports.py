"""What a plugin author imports from ``redmine_mcp_core``."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import redmine_mcp_core

SOURCE = Path(redmine_mcp_core.__file__ or "")


def test_every_name_is_there() -> None:
    """What ``__all__`` promises can be imported, and nothing else is offered."""
    found = {name: getattr(redmine_mcp_core, name) for name in redmine_mcp_core.__all__}

    assert all(found.values())
    assert set(redmine_mcp_core._PLACE_OF) == set(redmine_mcp_core.__all__)
    assert not hasattr(redmine_mcp_core, "no_such_name")


def test_type_checkers_see_the_same() -> None:
    """The imports that a type checker reads are those that are made."""
    read = {
        alias.name: (node.module or "").removeprefix("redmine_mcp_core.")
        for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("redmine_mcp_core.")
        for alias in node.names
    }

    assert read == redmine_mcp_core._PLACE_OF


def test_importing_the_package_imports_little() -> None:
    """FastMCP, which takes most of a second, is imported with the first name that needs it."""
    code = "import sys, redmine_mcp_core; print('fastmcp' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "False"
