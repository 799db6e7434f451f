"""One line of a check-up: how it is, what is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    """It works, but not for long, or not for everybody; or it cannot be known from here."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found. Neither text may hold a secret."""

    state: State
    what: str
    advice: str = ""
    """What to do; empty where there is nothing to do."""


def ok(what: str) -> Finding:
    return Finding(State.OK, what)


def warn(what: str, advice: str) -> Finding:
    return Finding(State.WARN, what, advice)


def fail(what: str, advice: str) -> Finding:
    return Finding(State.FAIL, what, advice)
