"""What is to be ticked in Redmine's form for an application."""

from __future__ import annotations

import json
from importlib.resources import files

from redmine_mcp_core.checks.form import TICKED, boxes


def test_in_the_order_of_the_form() -> None:
    """Under the form's headings, by its labels; what a Redmine plugin adds comes last."""
    shown = boxes(["tick_off", "log_time", "view_issues", "add_project", "view_project"])

    assert {heading: list(labels.values()) for heading, labels in shown.items()} == {
        "Project": ["View projects", "Create project"],
        "Issue tracking": ["View Issues"],
        "Time tracking": ["Log spent time"],
        "By Redmine's plugins": ["Tick off"],
    }


def test_every_permission_of_redmine_is_known() -> None:
    """All 80 scopes of a Redmine 6.1 but admin have a label of the form's."""
    seed = json.loads(files("redmine_mcp_sandbox").joinpath("seed.json").read_text())
    scopes = set(seed["oauth_applications"][0]["scopes"]) - {"admin"}
    labels = {scope for labels in boxes(scopes).values() for scope in labels}

    assert labels == scopes
    assert scopes >= TICKED
    assert "By Redmine's plugins" not in boxes(scopes)
