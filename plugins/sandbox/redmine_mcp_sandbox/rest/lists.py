"""The lists that belong to no project and need no scope: trackers, roles, enumerations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.reference import Named
from redmine_mcp_sandbox.rest.call import Call, named, not_found
from redmine_mcp_sandbox.roles import ANONYMOUS, GIVABLE_ROLES, NON_MEMBER

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


def roles(_call: Call) -> dict[str, Any]:
    return {"roles": [named(role) for role in GIVABLE_ROLES]}


def role(call: Call) -> dict[str, Any]:
    every = (NON_MEMBER, ANONYMOUS, *GIVABLE_ROLES)
    found = call.find({role.id: role for role in every}, call.path["id"])
    return {
        "role": named(found)
        | {
            "assignable": True,
            "issues_visibility": found.issues_visibility,
            "time_entries_visibility": "all",
            "users_visibility": found.users_visibility,
            "permissions": list(found.listed_permissions),
        }
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
