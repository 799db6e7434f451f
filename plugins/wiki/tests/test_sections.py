"""Headings and sections, in both markups."""

from __future__ import annotations

import pytest
from redmine_mcp_wiki.sections import begins_with_heading, code_open_at, section_of, sections_of

from redmine_mcp_core import BadArgument


def headings(text: str) -> list[tuple[int, str]]:
    return [(section.level, section.heading) for section in sections_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# One\n\n## Two ##\ntext\n\n####### seven", [(1, "One"), (2, "Two")]),
        ("Title\n=====\n\nPart\n----\n", [(1, "Title"), (2, "Part")]),
        ("text\n\n---\n\n* item\n---\n| a |\n---", []),
        ("```\n# code\n```\n# real\n~~~\n```\n# code\n~~~", [(1, "real")]),
        (
            "<pre>\n# code\n</pre>\n# real\n<pre><code>x</code></pre>\n## two",
            [(1, "real"), (2, "two")],
        ),
        (
            "h1. One\n\n# item\n# item\n\nh2(#id). Two\n\nh3{color:red}. Three",
            [(1, "One"), (2, "Two"), (3, "Three")],
        ),
        ("<pre>\nh1. code\n</pre>\nh2. real", [(2, "real")]),
        ("#tag and #12\nh7. no", []),
        ("", []),
    ],
)
def test_headings_of_both_markups(text: str, expected: list[tuple[int, str]]) -> None:
    """Not those in code, and no items of Textile's lists."""
    assert headings(text) == expected


def test_a_section_ends_where_the_next_of_its_level_begins() -> None:
    """What is below it belongs to it."""
    text = "# A\na\n## B\nb\n### C\nc\n## D\nd"

    shown = {one.heading: text[one.start : one.end] for one in sections_of(text)}
    assert shown == {"A": text, "B": "## B\nb\n### C\nc\n", "C": "### C\nc\n", "D": "## D\nd"}


def test_a_heading_that_is_there_twice_goes_by_its_number() -> None:
    """The error tells the numbers; a heading that is a number is meant before them."""
    text = "# A\n## Notes\n# B\n## Notes\n# 1"

    with pytest.raises(BadArgument, match=r"2 sections have this heading.*4 Notes"):
        section_of(text, "notes")
    assert section_of(text, "4").start == text.rindex("## Notes")
    assert section_of(text, "1").start == text.index("# 1")
    with pytest.raises(BadArgument, match="no headings"):
        section_of("text", "notes")


@pytest.mark.parametrize(
    ("text", "commonmark", "textile"),
    [
        ("## A\nx", True, False),
        ("# first\n# second", True, False),
        ("h2. A\nx", False, True),
        ("\nA\n=\n", True, False),
        ("x\n## A\nh2. B", False, False),
        ("", False, False),
    ],
)
def test_whether_a_text_begins_with_a_heading(text: str, commonmark: bool, textile: bool) -> None:
    """In the page's own markup: then it takes the place of the section's own."""
    assert begins_with_heading(text, "# Page\n") is commonmark
    assert begins_with_heading(text, "h1. Page\n\n# item\n") is textile


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("a\n```sh\nb\n", "```"),
        ("<pre>\nx\n", "<pre>"),
        ("```\na\n```\n", ""),
        ("~~~~\n~~~\n", "~~~~"),
    ],
)
def test_a_text_that_is_cut_in_code(text: str, opened: str) -> None:
    """What begins the block is known, so that the next part begins with it."""
    assert code_open_at(text, len(text)) == opened
