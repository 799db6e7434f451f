"""The tests that a file holds, by their names."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def names_in(path: Path) -> set[str]:
    """The tests of a file: their names, and ``Class::name`` for those in a class."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)} | {
        f"{group.name}::{node.name}"
        for group in tree.body
        if isinstance(group, ast.ClassDef)
        for node in group.body
        if isinstance(node, functions)
    }
