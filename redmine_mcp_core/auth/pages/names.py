"""How a client is named on a page: as its own word, and set apart from ours."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from markupsafe import Markup

from redmine_mcp_core.results import line, shorten

MAX_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class ClientName:
    """What a client calls itself, and who vouches for it."""

    name: str
    host: str | None
    """The host of its metadata document; None for a client that anybody may have registered."""

    @classmethod
    def of(cls, client_id: str, name: str | None) -> ClientName:
        host = urlsplit(client_id).hostname if client_id.startswith("https://") else None
        return cls(name or client_id, host)

    def __str__(self) -> str:
        """The name, short and on one line."""
        name, left_out = shorten(line(self.name), MAX_CHARACTERS)
        return name + ("…" if left_out else "")

    def __html__(self) -> Markup:
        """The name in a direction and a look of its own, so that it cannot pass for a sentence of
        ours."""
        return Markup('<bdi class="name">{}</bdi>').format(str(self))
