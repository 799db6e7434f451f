"""What a plugin offers so that ``redmine-mcp demo`` has a Redmine to serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.types import ASGIApp


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """Somebody who can sign in to the demo Redmine."""

    login: str
    password: str
    can: str
    """What this account is good for, in a few words: "manages alpha and gamma"."""


@dataclass(frozen=True, slots=True)
class DemoRedmine:
    """A Redmine in one ASGI app, with an OAuth application registered for this server.

    The application accepts any loopback port in its redirect URI, as Redmine does for 127.0.0.1.
    """

    create_app: Callable[[str], ASGIApp]
    """Makes the app; the argument is the base URL that it will be reached at."""
    client_id: str
    client_secret: str
    accounts: Sequence[DemoAccount]
