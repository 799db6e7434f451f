"""Who is calling: what the rest of the server may know of them, which is never a token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The Redmine user on whose behalf a request runs."""

    user_id: int
    login: str
    name: str
    scopes: frozenset[str]
    """The Redmine scopes of this sign-in. Never empty: to Redmine that would mean *unrestricted*
    (User#allowed_to? with an empty scope list), so the sign-in is refused before."""
    client_id: str
    """The MCP client that the user signed in with."""
    read_only: bool = False
    """Whether it may change nothing, whatever its scopes: so a service account may be made."""

    def may(self, scopes: frozenset[str]) -> bool:
        """Whether this sign-in was granted all of these scopes."""
        return scopes <= self.scopes

    def missing(self, scopes: frozenset[str]) -> list[str]:
        return sorted(scopes - self.scopes)
