"""The long form of filters finds what the short one finds."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.redmine import Credential, Gateway, Redmine
from redmine_mcp_core.redmine.long_filters import long_form
from tests.support.servers import Target

ALPHA, GAMMA = 1, 3
ISSUES: tuple[dict[str, Any], ...] = (
    {},
    {"status_id": "*"},
    {"status_id": "c", "sort": "id"},
    {"status_id": "=1|2"},
    {"status_id": "!5"},
    {"tracker_id": "1"},
    {"assigned_to_id": "me"},
    {"assigned_to_id": "!*"},
    {"subject": "~login form"},
    {"description": "!~the"},
    {"updated_on": ">=2026-01-10"},
    {"updated_on": "><2026-01-10|2026-01-20"},
    {"updated_on": "><t-400", "limit": 3, "offset": 1},
    {"due_date": "<t-1"},
    {"estimated_hours": "><1|8"},
    {"issue_id": [1, 2, 13], "status_id": "*"},
    {"parent_id": "~1", "status_id": "*"},
    {"cf_1": "~Acme"},
    {"cf_1": "Acme", "status_id": "*"},
    {"cf_1": "t"},
    {"cf_1": "t-5"},
    {"cf_2": "!*"},
)
TIMES: tuple[dict[str, Any], ...] = (
    {},
    {"user_id": "me"},
    {"user_id": "!5"},
    {"spent_on": "><2026-01-08|2026-01-23", "sort": "hours"},
    {"spent_on": "lw"},
    {"from": "2026-01-08", "to": "2026-01-22"},
    {"issue_id": "~1"},
    {"issue.fixed_version_id": "=2"},
    {"comments": "!*"},
    {"hours": ">=2", "limit": 2},
)


@pytest.mark.parametrize(
    ("kind", "asked"),
    [*(("issues", one) for one in ISSUES), *(("time_entries", one) for one in TIMES)],
    ids=str,
)
async def test_both_forms_find_the_same(
    redmine: Target, kind: Literal["issues", "time_entries"], asked: dict[str, Any]
) -> None:
    """Of one project, in the same order; of two projects, what the two have."""
    path = f"/{kind}.json"
    async with Gateway(redmine.url) as gateway:
        client = Redmine(gateway, Credential.api_key(Sandbox().api_key("alice")))
        counts = []
        for project in (ALPHA, GAMMA):
            alone = {**asked, "project_id": project, "subproject_id": "!*"}
            short = await client.get(path, **alone)
            long = await client.get(path, **long_form(asked, [project], issues=kind == "issues"))
            assert long == short
            counts.append(short["total_count"])
        both = await client.get(path, **long_form(asked, [ALPHA, GAMMA], issues=kind == "issues"))

    assert both["total_count"] == sum(counts)
