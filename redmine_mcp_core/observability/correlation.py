"""One id for one request: in our log, in the answer, in Redmine's log and in what a person is told.

It comes from the client or the proxy in front of us where they send a well-formed one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from structlog.contextvars import bind_contextvars, reset_contextvars

REQUEST_ID_HEADER = "X-Request-Id"

_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{8,64}")
"""Rails drops every other character (ActionDispatch::RequestId), and the ids would no longer match.
One that is longer could be a token in disguise."""

_request_id: ContextVar[str | None] = ContextVar("redmine_mcp_request_id", default=None)


def current_request_id() -> str | None:
    """The id of the request that runs here; None outside of one."""
    return _request_id.get()


def accepted(given: str | None) -> str:
    """The id that came with a request if it is well formed, else a new one."""
    return given if given and _WELL_FORMED.fullmatch(given) else secrets.token_hex(8)


@contextmanager
def request_id_bound(request_id: str) -> Iterator[None]:
    """Within this block everything carries this id: log lines, events, requests to Redmine."""
    unset = _request_id.set(request_id)
    unbound = bind_contextvars(request_id=request_id)
    try:
        yield
    finally:
        reset_contextvars(**unbound)
        _request_id.reset(unset)


def told_to_operator() -> str:
    """What a person is told of an inner failure; its details stand in the log under this id."""
    return (
        "Something went wrong inside this server. Tell its operator, "
        f"with the reference {current_request_id()}."
    )
