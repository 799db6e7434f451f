"""How the edge refuses: in the shape that whoever asked can read.

An MCP client reads a JSON-RPC error whatever the HTTP status is, and shows its sentence; without
one it only says that "the server returned an error". An OAuth client reads RFC 6749's two fields.
"""

from __future__ import annotations

import math

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from redmine_mcp_core.edge.settings import MCP_PATH

TRY_LATER = -32010
"""JSON-RPC error code of what succeeds later. -32000 to -32019 are a server's own (MCP
specification 2026-07-28, error codes)."""
INVALID_REQUEST = -32600


def is_mcp(scope: Scope) -> bool:
    """Whether a request goes to the MCP endpoint, or to one below it."""
    path: str = scope["path"]
    return path == MCP_PATH or path.startswith(f"{MCP_PATH}/")


def refuse(
    scope: Scope, status: int, error: str, message: str, *, retry_after: float | None = None
) -> Response:
    """An answer with this HTTP status; ``error`` is a code for programs, ``message`` a sentence.

    ``retry_after`` is seconds, told in the header (RFC 9110, section 10.2.3) and in the body.
    """
    headers = {"Cache-Control": "no-store"}
    wait = None if retry_after is None else max(1, math.ceil(retry_after))
    if wait is not None:
        headers["Retry-After"] = str(wait)
    if is_mcp(scope):
        data = {"error": error, **({} if wait is None else {"retry_after": wait})}
        code = INVALID_REQUEST if wait is None else TRY_LATER
        # The request was not read, so its id is not known (JSON-RPC 2.0, section 5).
        body = {"jsonrpc": "2.0", "id": None}
        return JSONResponse(
            {**body, "error": {"code": code, "message": message, "data": data}}, status, headers
        )
    return JSONResponse({"error": error, "error_description": message}, status, headers)
