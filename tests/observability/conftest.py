"""Log lines that a test can read, and loggers that are as before afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from tests.support.logs import Stream


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    names = ["fastmcp", "uvicorn", "uvicorn.access", "uvicorn.error", "httpx", "mcp", "httpx2"]
    names += ["httpcore", "httpcore2", "sse_starlette", "mcp.server"]
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    kept = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield Stream(monkeypatch)
    structlog.reset_defaults()
    for logger, level, handlers, propagate in kept:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)
