"""Completions over all of our plugins together."""

from __future__ import annotations

import re

from redmine_mcp_issues import plugin as issues
from redmine_mcp_projects import plugin as projects
from redmine_mcp_prompts import plugin as prompts

from redmine_mcp_core.tools.components import Components

FREE_TEXT = {"rough_notes"}
"""What only the person knows."""


def test_every_argument_is_completed() -> None:
    """Of each prompt and each resource template: a new one brings a completer, or is free text."""
    everything = Components()
    for plugin in (issues, projects, prompts):
        everything.include(plugin)
    asked = {one.name for prompt in everything.prompts for one in prompt.arguments or ()}
    for template in everything.templates:
        asked |= set(re.findall(r"{(\w+)}", template.uri_template))

    assert asked - FREE_TEXT == {name for name, _ in everything.completers} & asked
    assert {"issue_id", "project"} <= asked
