"""A place where log lines go, and where they can be read."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from redmine_mcp_core.observability.logs import LogFormat, configure_logging


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
