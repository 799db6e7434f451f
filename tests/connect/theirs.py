"""A server that is not ours: FastMCP with its own OAuth example provider, and a front that fails.

It speaks both protocol eras; the front can make it one that has dropped the handshake, or one that
never heard of 2026-07-28.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fastmcp import Context, FastMCP
from fastmcp.server.auth.providers.in_memory import InMemoryOAuthProvider
from mcp.server.auth.settings import ClientRegistrationOptions, RevocationOptions
from mcp_types import (
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    ToolListChangedNotification,
)
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.support.servers import free_port, serving

Era = Literal["both", "handshake", "modern"]
MODERN = "2026-07-28"


@dataclass
class Seen:
    """A request as it arrived."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def rpc(self) -> dict[str, Any]:
        try:
            said = json.loads(self.body)
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}

    @property
    def method(self) -> str | None:
        return self.rpc.get("method")


Reply = Callable[[Seen], Response | None]


@dataclass
class Front:
    """Stands before an app: remembers what came, and answers itself where it is told to."""

    app: ASGIApp
    era: Era = "both"
    seen: list[Seen] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def once(self, when: Callable[[Seen], bool], response: Response, times: int = 1) -> None:
        """Give this answer to the next requests of a kind."""
        left = [times]

        def reply(seen: Seen) -> Response | None:
            if left[0] and when(seen):
                left[0] -= 1
                return response
            return None

        self.replies.append(reply)

    def count(self, method_or_path: str) -> int:
        return sum(method_or_path in {seen.method, seen.path} for seen in self.seen)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        seen = Seen(scope["method"], scope["path"], headers, body)
        self.seen.append(seen)
        answers = (self._of_the_era(seen), *(reply(seen) for reply in self.replies))
        response = next((answer for answer in answers if answer), None)
        if response:
            await response(scope, receive, send)
            return
        handed_over = False

        async def again() -> Message:
            nonlocal handed_over
            if handed_over:
                return await receive()
            handed_over = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, again, send)

    def _of_the_era(self, seen: Seen) -> Response | None:
        if self.era == "both" or seen.path != "/mcp" or "authorization" not in seen.headers:
            return None
        modern = seen.headers.get("mcp-protocol-version") == MODERN
        if (self.era == "modern") == modern:
            return None
        code, data = (-32022, {"supported": [MODERN]}) if self.era == "modern" else (-32600, None)
        error = {"code": code, "message": "Unsupported protocol version", "data": data}
        answer = {"jsonrpc": "2.0", "id": seen.rpc.get("id"), "error": error}
        return JSONResponse(answer, status_code=400)


@dataclass
class Theirs:
    """The server, running, and what a test may look at and turn."""

    url: str
    auth: InMemoryOAuthProvider
    front: Front
    notes: list[str]
    """What has been written with the tool that writes."""

    def expire_access_tokens(self) -> None:
        """The server forgets its access tokens; the refresh tokens stay good."""
        self.auth.access_tokens.clear()


def _add_tools(server: FastMCP, notes: list[str]) -> None:
    @server.tool(annotations={"readOnlyHint": True})
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    @server.tool
    def write(text: str) -> str:
        """Write something down."""
        notes.append(text)
        return f"{len(notes)} notes"

    @server.tool
    async def steps(context: Context) -> str:
        """Report progress and a message on the way."""
        await context.report_progress(1, 2)
        await context.info("half way")
        await context.report_progress(2, 2)
        return "done"

    @server.tool
    async def change(context: Context) -> str:
        """Say that the list of tools has changed."""
        await context.send_notification(ToolListChangedNotification())
        return "changed"

    @server.tool
    async def ask(context: Context) -> Any:
        """Ask the person for their name."""
        request = context.request_context
        if request is None or str(request.protocol_version) < MODERN:
            answer = await context.elicit("Who?", str)
            return f"hello {getattr(answer, 'data', 'nobody')}"
        if not context.input_responses:
            schema = {"type": "object", "properties": {"value": {"type": "string"}}}
            params = ElicitRequestFormParams(message="Who?", requested_schema=schema)
            asked = ElicitRequest(params=params)
            return InputRequiredResult(input_requests={"who": asked}, request_state="waiting")
        given = context.input_responses["who"]
        assert isinstance(given, ElicitResult)
        return f"hello {(given.content or {}).get('value', 'nobody')}"

    @server.prompt
    def greet(name: str) -> str:
        """Greet somebody."""
        return f"Greet {name}"

    async def complete(*_: object) -> Completion:
        return Completion(values=["alice", "bob"])

    server.add_completion_handler(complete)


def _provider(base: str) -> InMemoryOAuthProvider:
    return InMemoryOAuthProvider(
        base_url=base,
        client_registration_options=ClientRegistrationOptions(
            enabled=True, valid_scopes=["read", "write"]
        ),
        revocation_options=RevocationOptions(enabled=True),
        required_scopes=["read"],
    )


@asynccontextmanager
async def running_theirs(
    era: Era = "both", *, again: Theirs | None = None
) -> AsyncIterator[Theirs]:
    """The server on loopback; ``again`` starts one that was stopped, as it was."""
    base = again.url.removesuffix("/mcp") if again else f"http://127.0.0.1:{free_port()}"
    auth = again.auth if again else _provider(base)
    notes: list[str] = []
    server: FastMCP = FastMCP("theirs", auth=auth)
    _add_tools(server, notes)
    front = Front(server.http_app(), era)
    async with serving(front, int(base.rpartition(":")[2]), lifespan="on"):
        yield Theirs(f"{base}/mcp", auth, front, notes)
