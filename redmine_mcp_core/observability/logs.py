"""One stream of log lines for the server and its libraries, without secrets.

What may be logged is decided here and not where a line is written. An error shows where it
happened and not what it says (``tracebacks.py``); a library's line, its own words and not what it
quotes (``quoting.py``); and every value passes a filter that blanks out secrets by the name of
their field and by their shape.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from collections.abc import MutableMapping
from typing import Any, Literal, TextIO

import structlog

from redmine_mcp_core.observability.quoting import HIDDEN, without_quotations
from redmine_mcp_core.observability.tracebacks import without_messages

LogFormat = Literal["json", "console"]

log = structlog.stdlib.get_logger("redmine_mcp")

AUDIT_LOGGER = "redmine_mcp.audit"

_WORDY = "uvicorn.access httpx httpx2 httpcore httpcore2 mcp sse_starlette".split()

_SECRET_NAME = re.compile(
    r"(authorization|password|secret|api_?key|cookie|^(access_|refresh_)?token$|verifier$|^code$)",
    re.IGNORECASE,
)
_SECRET_SHAPES = (
    re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+"),
    re.compile(r"rmcp_[\w-]+"),
    re.compile(r"(?<=Bearer )\S+", re.IGNORECASE),
    re.compile(r"(?<=Basic )\S+", re.IGNORECASE),
    re.compile(
        r"(?<![\w-])((?:access_token|refresh_token|token|code|state|client_secret|code_verifier|"
        r"api_key|key|txn_id|csrf_token)[\"']?\s*[=:]\s*[\"']?)[^\s&\"',}]+",
        re.IGNORECASE,
    ),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),
)


def redact(text: str) -> str:
    """The text with everything that looks like a secret blanked out."""
    for shape in _SECRET_SHAPES:
        text = shape.sub(lambda match: (match.group(1) if match.lastindex else "") + HIDDEN, text)
    return text


def _redact_value(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact_value(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value(name, item) for item in value]
    return value


def _redact_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {name: _redact_value(name, value) for name, value in event.items()}


def _is_news(record: logging.LogRecord) -> bool:
    """FastMCP warns of every http address; settings allow those for this machine only."""
    return "non-secure cookies" not in str(record.msg)


def configure_logging(*, log_format: LogFormat, level: str) -> None:
    """Send everything, uvicorn's and FastMCP's lines too, to standard error in one format."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        without_messages,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            # First, so that a line that nobody wants costs nothing.
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), without_quotations, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_event,
                renderer,
            ],
        )
    )
    handler.addFilter(_is_news)
    # What cannot be written would be printed to standard error, past everything that is done here.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("fastmcp", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    for name in _WORDY:
        # One line per request of each library says nothing that ours do not; addresses carry
        # authorization codes, and messages carry the texts of issues.
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    # Its debug lines quote authorization codes, and the arguments of every call.
    logging.getLogger("fastmcp").setLevel(max(logging.INFO, root.level))
    # An audit trail has no levels.
    logging.getLogger(AUDIT_LOGGER).setLevel(logging.INFO)


def log_crashes() -> None:
    """Put what ends this process or a thread of it, and warnings, into the same stream."""

    def warned(
        message: Warning | str,  # noqa: ARG001 - it may quote anything
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        log.warning("python_warning", category=category.__name__, where=f"{filename}:{lineno}")

    def crashed(error: BaseException) -> None:
        log.critical("crashed", exc_info=error)

    def excepthook(_type: type[BaseException], error: BaseException, _frames: object) -> None:
        crashed(error)

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            crashed(args.exc_value)

    def unraisable(args: sys.UnraisableHookArgs) -> None:
        if args.exc_value is not None:
            crashed(args.exc_value)

    warnings.showwarning = warned
    sys.excepthook = excepthook
    threading.excepthook = in_thread
    sys.unraisablehook = unraisable
