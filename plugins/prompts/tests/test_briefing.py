"""The budget of a prompt, whatever Redmine holds."""

from __future__ import annotations

import pytest
from redmine_mcp_prompts.briefing import BUDGET, CUT, Section, briefing, excerpt


def test_short_sections_are_whole_and_long_ones_share_the_rest() -> None:
    """No section is starved by another, and what was left out is said outside of the marks."""
    text = briefing(
        "Do.",
        Section("Long", [f"long {number} " + "x" * 90 for number in range(300)], 1_000),
        Section("Short", ["one", "two"]),
        Section("Also long", [f"also {number} " + "y" * 90 for number in range(300)]),
    )

    assert BUDGET * 0.9 < len(text.encode()) <= BUDGET
    assert "Short:\none\ntwo\n" in text
    long, also = text.count("\nlong "), text.count("\nalso ")
    assert abs(long - also) <= 1
    outside = text.rpartition("»")[2]
    assert f"“Long” has 1000 entries, of which {long} are here." in outside
    assert f"“Also long” has 300 entries, of which {also} are here." in outside
    assert "“Short”" not in outside


@pytest.mark.parametrize("character", ["a", "é", "漢", "🎉", " "])
def test_one_huge_entry_is_cut_rather_than_left_out(character: str) -> None:
    """In whatever script, and the cut is marked."""
    text = briefing("Do.", Section("Description", [f"begin{character * 20_000}"]))

    assert len(text.encode()) <= BUDGET
    assert "Description:\nbegin" in text
    assert CUT in text.partition("«")[2]


def test_what_redmine_hides_is_named_once_and_outside() -> None:
    """A section the caller may not see is not told as an empty one."""
    text = briefing("Do.", Section("Members", [], hidden=True), Section("Files", []))

    assert "“Members” is left out: Redmine does not show it to you." in text.rpartition("»")[2]
    assert "Members:" not in text
    assert "Files:\nnone" in text


@pytest.mark.parametrize("most", range(40))
def test_an_excerpt_keeps_to_its_bytes(most: int) -> None:
    """And never cuts a character in two."""
    assert len(excerpt("Grüße aus 東京 und anderswo 🎉 fort", most).encode()) <= most
