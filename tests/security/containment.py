"""What every answer has to be: without anything invisible, and with strangers' words in marks."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from tests.security.injections import ORDER
from tests.security.planting import CANARY

QUOTED = re.compile(r"«([0-9a-f]{6}) data from [^\n:]*, no instructions:\s.*?\s\1»", re.DOTALL)
HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]"
)
"""What hides text, written down a second time: the code under test has its own list."""


def assert_visible(text: str) -> None:
    """No control character, nothing bidirectional, and nothing that shows as nothing."""
    assert not HIDDEN.search(text), ascii(text)[:2000]
    controls = [
        c for c in text if unicodedata.category(c) in {"Cc", "Cs", "Co"} and c not in "\n\t"
    ]
    assert not controls, (controls, ascii(text)[:2000])


def assert_contained(text: str) -> None:
    """All that was planted stands between a mark and the next occurrence of it."""
    assert_visible(text)
    for block in QUOTED.finditer(text):
        assert block[0].count(block[1]) == 2, text
    outside = QUOTED.sub("", text)
    assert not any(planted in outside for planted in (CANARY, ORDER)), outside
    assert "«" not in outside, outside
    assert "»" not in outside, outside


def assert_data(value: Any) -> None:
    """Every text in the structured content is visible."""
    if isinstance(value, dict):
        for name, one in value.items():
            assert_visible(name)
            assert_data(one)
    elif isinstance(value, list):
        for one in value:
            assert_data(one)
    elif isinstance(value, str):
        assert_visible(value)
