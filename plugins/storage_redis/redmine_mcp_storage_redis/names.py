"""What our keys in Redis are called.

``redmine-mcp:{collection}:key`` is an entry. Between the braces is what a cluster picks the slot
by, so a collection is in one slot and every operation on many of its keys is atomic there, too.
Quoted, a collection holds neither brace nor colon, so where it ends is never in doubt. Locks and
counters begin with a sign that no entry has.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

PREFIX = "redmine-mcp:"
"""Begins every name, for a Redis that serves others as well."""

PING = f"{PREFIX}ping"
ENTRIES = f"{PREFIX}{{*"
"""The pattern of all entries."""


def entry(key: str, collection: str) -> str:
    """Return the name of an entry."""
    return f"{PREFIX}{{{quote(collection, safe='')}}}:{key}"


def entries_of(collection: str) -> str:
    """Return the pattern of a collection's entries. Quoted, it has no sign that a pattern has."""
    return entry("*", collection)


def parse_entry(name: str) -> tuple[str, str]:
    """Return the collection and the key of an entry."""
    collection, _, key = name.removeprefix(f"{PREFIX}{{").partition("}:")
    return unquote(collection), key


def lock(name: str) -> str:
    """Return the name of a lock."""
    return f"{PREFIX}lock:{name}"


def counter(name: str) -> str:
    """Return the name of a counter."""
    return f"{PREFIX}counter:{name}"
