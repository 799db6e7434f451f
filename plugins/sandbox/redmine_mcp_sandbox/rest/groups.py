"""GET /groups, /groups/:id and /custom_fields: what administrators list."""

from __future__ import annotations

from typing import Any

from redmine_mcp_sandbox import reference
from redmine_mcp_sandbox.rest.call import Call, deny, named, not_found
from redmine_mcp_sandbox.rest.memberships import role_fields
from redmine_mcp_sandbox.seed import CustomField

BOOLEAN = {"1": "Yes", "0": "No"}


def index(call: Call) -> dict[str, Any]:
    _require_admin(call)
    return {"groups": [named(group) for group in call.world.groups.values()]}


def show(call: Call) -> dict[str, Any]:
    group = call.find(call.world.groups, call.path["id"])
    if not call.viewer.finds_principal(group):
        not_found()
    fields = named(group)
    if "users" in call.includes and call.viewer.admin:
        fields["users"] = [named(call.world.users[one]) for one in group.user_ids]
    if "memberships" in call.includes:
        fields["memberships"] = [
            {
                "id": one.id,
                "project": named(call.world.projects[one.project_id]),
                "roles": role_fields(one),
            }
            for one in call.world.memberships.values()
            if one.principal_id == group.id
            and call.viewer.finds_project(call.world.projects[one.project_id])
        ]
    return {"group": fields}


def custom_fields(call: Call) -> dict[str, Any]:
    _require_admin(call)
    fields = call.world.custom_fields.values()
    return {"custom_fields": [_custom_field(field) for field in fields]}


def _require_admin(call: Call) -> None:
    if not call.viewer.admin:
        deny(call.viewer)


def _custom_field(field: CustomField) -> dict[str, Any]:
    labels = (
        BOOLEAN if field.field_format == "bool" else {one: one for one in field.possible_values}
    )
    choices = [{"value": value, "label": label} for value, label in labels.items()]
    return {
        **named(field),
        "description": None,
        "customized_type": "issue",
        "field_format": field.field_format,
        "regexp": "",
        "min_length": None,
        "max_length": None,
        "is_required": False,
        "is_filter": field.is_filter,
        "searchable": field.searchable,
        "multiple": field.multiple,
        "default_value": None,
        "visible": True,
        "editable": True,
        **({"possible_values": choices} if choices else {}),
        "trackers": [named(tracker) for tracker in reference.TRACKERS],
        "roles": [],
    }
