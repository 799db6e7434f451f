"""``docs/security-model.md`` answers RFC 9700 section by section."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.names_of_tests import names_in

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "docs/security-model.md"

SECTIONS = """
2.1 2.1.1 2.1.2 2.2.1 2.2.2 2.3 2.4 2.5 2.6
4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12 4.13 4.14 4.15 4.16 4.17
""".split()


def test_every_section_of_the_rfc_is_answered() -> None:
    """In its own row, with a test or with the reason why there is none."""
    rows = re.findall(r"^\| (\d[\d.]*) \|(.+)\|(.+)\|$", MODEL.read_text(encoding="utf-8"), re.M)

    assert {section for section, _, _ in rows} >= set(SECTIONS)
    assert [section for section, _, held in rows if len(held.strip()) < 5] == []


def test_every_test_here_is_named_in_the_document() -> None:
    """What is worth a test is worth a promise."""
    model = MODEL.read_text(encoding="utf-8")
    ours = {
        f"{path.relative_to(ROOT)}::{name}"
        for path in Path(__file__).parent.glob("test_rfc9700*.py")
        for name in names_in(path)
        if name.startswith("test_")
    }
    own = {name for name in ours if "::test_every_" in name}

    assert own < ours
    assert [name for name in sorted(ours - own) if f"`{name}`" not in model] == []
