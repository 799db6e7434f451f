"""The contract with plugins: every hook is typed, said in a sentence, documented and tested."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from redmine_mcp_core import hookspecs

ROOT = Path(__file__).parent.parent
HOOKS: dict[str, Any] = {
    name: function
    for name, function in vars(hookspecs).items()
    if inspect.isfunction(function) and function.__module__ == hookspecs.__name__
}


def test_the_hooks_are_these() -> None:
    """A new hook ships with a plugin that needs it; this list is where one stops to think."""
    assert sorted(HOOKS) == [
        "before_tool_call",
        "check_health",
        "offer_demo",
        "on_event",
        "register_components",
        "register_metrics",
        "register_token_stores",
    ]


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_declared_as_one(name: str) -> None:
    """A function without the marker would be no hook at all."""
    assert hasattr(HOOKS[name], f"{hookspecs.PROJECT}_spec")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_typed(name: str) -> None:
    """Every argument and what comes back."""
    hints = get_type_hints(HOOKS[name])

    assert set(hints) == {*inspect.signature(HOOKS[name]).parameters, "return"}


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_one_sentence(name: str) -> None:
    """All that is longer stands in docs/hooks.md."""
    doc = inspect.getdoc(HOOKS[name]) or ""

    assert doc.endswith(".")
    assert "\n" not in doc
    assert len(doc) <= 100


def documentation() -> str:
    return (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_has_its_heading_in_the_docs(name: str) -> None:
    """docs/hooks.md has a section for each hook, with its signature in it."""
    section = re.search(rf"^#+ `?{name}\b.*?(?=^#|\Z)", documentation(), re.MULTILINE | re.DOTALL)

    assert section, f"docs/hooks.md has no heading for {name}"
    for parameter in inspect.signature(HOOKS[name]).parameters:
        assert parameter in section[0], f"{name} in docs/hooks.md does not mention {parameter}"


def test_the_docs_name_no_hook_that_there_is_not() -> None:
    """A hook that was removed is removed from docs/hooks.md as well."""
    headings = re.findall(r"^#+ `?([a-z]+_[a-z_]+)\b", documentation(), re.MULTILINE)

    assert sorted(headings) == sorted(HOOKS)


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_is_implemented_in_a_test(name: str) -> None:
    """Some test has a plugin with this hook."""
    tests = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("plugins/*/tests/**/test_*.py")]

    assert any(f"def {name}(" in path.read_text(encoding="utf-8") for path in tests)
