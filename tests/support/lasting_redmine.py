"""A sandbox Redmine in a process of its own, whose OAuth tokens outlive it, as in a database.

``python -m tests.support.lasting_redmine PORT FILE``
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import uvicorn
from redmine_mcp_sandbox import Sandbox
from redmine_mcp_sandbox.doorkeeper import Doorkeeper
from redmine_mcp_sandbox.seed import load_seed
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Lasting:
    """Saves before it answers: what was acknowledged is there after the next start."""

    def __init__(self, app: ASGIApp, doorkeeper: Doorkeeper, file: Path) -> None:
        self._app, self._doorkeeper, self._file = app, doorkeeper, file
        if file.exists():
            vars(doorkeeper).update(vars(read(file)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def save_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                write(self._doorkeeper, self._file)
            await send(message)

        await self._app(scope, receive, save_and_send)


def read(file: Path) -> Doorkeeper:
    doorkeeper: Doorkeeper = pickle.loads(file.read_bytes())
    return doorkeeper


def write(doorkeeper: Doorkeeper, file: Path) -> None:
    """At once or not at all."""
    new = file.with_suffix(".new")
    new.write_bytes(pickle.dumps(doorkeeper))
    new.replace(file)


def expire(file: Path, login: str) -> None:
    """While it is dead: it was so for longer than somebody's access token lives."""
    doorkeeper = read(file)
    (user_id,) = [user.id for user in load_seed().users if user.login == login]
    for token in doorkeeper._by_token.values():
        if token.user_id == user_id:
            token.expires_at = 0
    write(doorkeeper, file)


def main() -> None:
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    sandbox = Sandbox(f"http://127.0.0.1:{port}")
    app = Lasting(sandbox.app, sandbox._doorkeeper, file)
    uvicorn.run(app, port=port, lifespan="off", log_level="warning")


if __name__ == "__main__":
    main()
