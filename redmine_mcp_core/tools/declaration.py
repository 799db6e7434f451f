"""What a tool says of itself, once: everything else about it follows from here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mcp_types import ToolAnnotations

ADMIN = "admin"
"""The scope with which Redmine limits an administrator's token by nothing else (User#admin?). It is
asked for only where ``REDMINE_SCOPES`` names it."""


class Effect(StrEnum):
    """What a tool does to Redmine."""

    READS = "reads"
    WRITES = "writes"
    DESTROYS = "destroys"


@dataclass(frozen=True, slots=True)
class ToolDeclaration:
    """A tool's name, what it does to Redmine, and the Redmine scopes that takes."""

    name: str
    effect: Effect
    scopes: frozenset[str]
    """Without all of these the tool is neither listed nor called."""
    optional_scopes: frozenset[str] = frozenset()
    """Asked for at sign-in because they let the tool say more; it works without them."""
    listed: bool = True
    """Whether a client sees it at once. The others are found with ``find_tools``."""
    local: bool = False
    """Whether it needs files of the caller's own computer. Elsewhere it is not offered."""

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.effect is Effect.READS

    @property
    def annotations(self) -> ToolAnnotations:
        """The hints of the MCP specification (server/tools, ToolAnnotations).

        ``openWorldHint`` is false: a tool reaches one Redmine and nothing beyond it.
        """
        reads = self.effect is Effect.READS
        return ToolAnnotations(
            read_only_hint=reads,
            destructive_hint=None if reads else self.effect is Effect.DESTROYS,
            idempotent_hint=True if reads else None,
            open_world_hint=False,
        )
