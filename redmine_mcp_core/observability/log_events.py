"""Every event that our own log lines name, and what it means to an operator.

A line that is not in here does not pass the tests. Besides its fields a line has ``timestamp``,
``level``, ``logger`` and, within a request, ``request_id``. Libraries write lines of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogEvent:
    """What a line means, and the fields it may have."""

    meaning: str
    fields: tuple[str, ...] = ()


LOG_EVENTS: Mapping[str, LogEvent] = {
    "serving": LogEvent("The server listens.", ("url", "redmine")),
    "stopping": LogEvent(
        "The server was told to end; it listens for so many seconds more.", ("drain",)
    ),
    "stopped": LogEvent("The server has ended as it was told to."),
    "crashed": LogEvent("The process, or a thread of it, ends by an error: report it.", ()),
    "python_warning": LogEvent(
        "Python warned of something in this server's code, or in a library.", ("category", "where")
    ),
    "http_request": LogEvent(
        "A request was answered; at `info` with `MCP_ACCESS_LOG`, else at `debug`.",
        ("method", "route", "status", "seconds"),
    ),
    "request_failed": LogEvent("A request failed inside this server: report it."),
    "audit": LogEvent(
        "A line of the [audit trail](observability.md#audit), where `MCP_AUDIT_FILE` is not set.",
        (
            "action",
            "user_id",
            "login",
            "client_id",
            "tool",
            "effect",
            "objects",
            "reason",
        ),
    ),
    "audit_failed": LogEvent("The audit file cannot be written; the call goes on.", ("error",)),
    "plugin_left_out": LogEvent("A plugin does not work, and why.", ("plugin", "problem")),
    "hook_failed": LogEvent(
        "A plugin failed where it was asked or told something.", ("plugin", "hook", "tool", "error")
    ),
    "completion_failed": LogEvent("A plugin failed to offer values.", ("argument",)),
    "tool_out_of_scope": LogEvent(
        "A tool needs scopes that `REDMINE_SCOPES` leaves out: nobody can call it.",
        ("tool", "not_in_redmine_scopes"),
    ),
    "token_not_verified": LogEvent(
        "Redmine could not be asked about a token; the client was told to try again.", ("reason",)
    ),
    "refresh_postponed": LogEvent(
        "Redmine or the store was away when a client wanted to refresh; it may try again.",
        ("reason",),
    ),
    "revocation_failed": LogEvent(
        "Redmine could not be told that a token of ours is not needed any more; it expires."
    ),
    "signing_keys_not_read": LogEvent(
        "The keys that sign tokens could not be read anew; those known go on.", ("reason",)
    ),
    "client_registered": LogEvent("A client registered itself.", ("client_id",)),
    "client_deleted": LogEvent("A client deleted its registration.", ("client_id",)),
    "too_many_registrations": LogEvent(
        "Registrations were turned away until the hour is over.", ("per_hour",)
    ),
    "store_file_open_to_others": LogEvent(
        "Others than its owner may use the file of the token store.", ("path", "mode")
    ),
    "store_swept": LogEvent(
        "Records that had expired were deleted from the token store; at `debug`.", ("records",)
    ),
    "store_not_swept": LogEvent(
        "Expired records could not be deleted; that is tried again in some minutes.", ("problem",)
    ),
    "store_not_counted": LogEvent(
        "The sign-ins in the token store could not be counted. Said once, until they can be again.",
        ("problem",),
    ),
    "record_not_opened": LogEvent(
        "The token store holds a record that none of `MCP_ENCRYPTION_KEYS` opens; it counts as "
        "absent. If keys were changed, the old one has to stay in the list. Said once."
    ),
    "keys_rotated": LogEvent(
        "Every record of the token store that opens is under the first encryption key now. Those "
        "that are `unreadable` open with none of the keys.",
        ("records", "changed", "unreadable"),
    ),
    "keys_rotate_elsewhere": LogEvent(
        "Another replica brings the token store under that key; at `debug`."
    ),
    "keys_not_rotated": LogEvent(
        "The token store could not be brought under the first key; it is tried again.",
        ("problem",),
    ),
    "proxy_not_trusted": LogEvent(
        "Forwarded headers came from an address that is not trusted, and were ignored.",
        ("peer", "setting"),
    ),
    "tls_reloaded": LogEvent("The certificate was read anew."),
    "tls_not_reloaded": LogEvent(
        "The certificate could not be read anew; the one before stays.", ("problem",)
    ),
    "traces_not_sent": LogEvent(
        "Traces are asked for, and a package for that is missing.", ("problem",)
    ),
    "worker_started": LogEvent("A worker process was started.", ("pid",)),
    "worker_died": LogEvent(
        "A worker ended that was not told to; another one takes its place.",
        ("pid", "exit_code", "again_in"),
    ),
    "worker_hung": LogEvent(
        "A worker gave no sign of life for so many seconds and is killed. After this line stands "
        "where each of its threads is, as plain text.",
        ("pid", "silent"),
    ),
    "workers_cannot_start": LogEvent(
        "Workers die before they serve: the server ends.", ("exit_code",)
    ),
}
