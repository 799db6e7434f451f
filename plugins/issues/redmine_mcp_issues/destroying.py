"""What the tools that destroy something have in common besides asking first."""

from __future__ import annotations

from redmine_mcp_core import RedmineError


class NotDeleted(RedmineError):
    """Redmine said that it deleted something, and it is still there."""

    code = "not_deleted"

    def __init__(self, what: str) -> None:
        super().__init__(f"Redmine did not delete {what}, and does not say why.")


class StandsOtherwise(RedmineError):
    """What the person agreed to is not what would happen now."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__("This has changed since the question was asked. Nothing was done.")
