"""Which words of a query Redmine's search looks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

MOST_SEARCH_WORDS = 5

_WORD = re.compile(r'"[^"]+"|\S+')
_HAN = re.compile(r"[\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def search_words(query: str) -> tuple[list[str], list[str]]:
    """The words that Redmine searches for, and those that it drops without a word.

    A word is what stands between blanks or quotes, such as ``C++``. Dropped are words of one
    letter, but for Chinese ones, and all beyond the fifth (lib/redmine/search.rb, ``tokens``).
    """
    words = list(dict.fromkeys(word.strip('" ') for word in _WORD.findall(query)))
    taken = [word for word in words if len(word) > 1 or _HAN.match(word)][:MOST_SEARCH_WORDS]
    return taken, [word for word in words if word not in taken]


def not_searched(words: Sequence[str]) -> str:
    """A sentence about the words that were dropped; empty where there are none."""
    if not words:
        return ""
    quoted = ", ".join(f"“{word}”" for word in words)
    return (
        f"Not searched for: {quoted}. Redmine takes {MOST_SEARCH_WORDS} words, of two letters or "
        "more each."
    )
