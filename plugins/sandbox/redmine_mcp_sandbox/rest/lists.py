"""The lists that belong to no project and need no scope: trackers, statuses, enumerations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.reference import Named
from redmine_mcp_sandbox.rest.call import Call, named, not_found

ENUMERATIONS: dict[str, Sequence[Named]] = {
    "issue_priorities": reference.PRIORITIES,
    "time_entry_activities": reference.ACTIVITIES,
    "document_categories": reference.DOCUMENT_CATEGORIES,
}


def trackers(_call: Call) -> dict[str, Any]:
    return {
        "trackers": [
            named(tracker)
            | {
                "default_status": named(reference.STATUSES[0]),
                "description": None,
                "enabled_standard_fields": list(reference.TRACKER_FIELDS),
            }
            for tracker in reference.TRACKERS
        ]
    }


def issue_statuses(_call: Call) -> dict[str, Any]:
    return {
        "issue_statuses": [
            named(status) | {"is_closed": status.is_closed, "description": None}
            for status in reference.STATUSES
        ]
    }


def enumerations(call: Call) -> dict[str, Any]:
    kind = call.path["type"]
    if kind not in ENUMERATIONS:
        not_found()
    return {
        kind: [
            named(one) | {"is_default": one.is_default, "active": True}
            for one in ENUMERATIONS[kind]
        ]
    }
