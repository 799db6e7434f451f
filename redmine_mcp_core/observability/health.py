"""Whether the server and what it depends on are well: the answers of /health and /ready."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The health of one thing the server depends on."""

    name: str
    healthy: bool
    message: str = ""
    """What is wrong and what to do about it; it names no secret."""
