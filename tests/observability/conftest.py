"""Log lines that a test can read, and loggers that are as before afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from tests.support.logs import Stream, logging_as_it_was


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stream]:
    with logging_as_it_was():
        yield Stream(monkeypatch)
    structlog.reset_defaults()
