"""Where log lines go in a test, and how they are read."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from redmine_mcp_core.observability.logs import LogFormat, configure_logging


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """Put the tests' own logging back after what runs in this block."""
    loggers = [logging.getLogger(name) for name in (None, *logging.root.manager.loggerDict)]
    kept = [(logger, logger.level, list(logger.handlers), logger.propagate) for logger in loggers]
    yield
    for logger, level, handlers, propagate in kept:
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def said(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The lines of this event that the standard library's loggers wrote, with their fields."""
    return [vars(record) for record in caplog.records if record.getMessage() == event]


async def until_said(caplog: pytest.LogCaptureFixture, event: str) -> dict[str, Any]:
    """Wait for a line of this event."""
    async with asyncio.timeout(20):
        while not (lines := said(caplog, event)):  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.005)
    return lines[0]


class Stream:
    """Where log lines go, and what came."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._written = io.StringIO()
        self._monkeypatch = monkeypatch

    def configure(self, log_format: LogFormat, level: str = "info") -> None:
        # Not before the test runs: pytest puts its own stream there between set-up and test.
        self._monkeypatch.setattr(sys, "stderr", self._written)
        configure_logging(log_format=log_format, level=level)

    @property
    def text(self) -> str:
        return self._written.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]
