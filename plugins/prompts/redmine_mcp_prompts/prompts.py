"""The prompts that this plugin adds. Each fetches what it needs, so it works without any tool."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import Field

from redmine_mcp_core import CurrentRedmine, Forbidden, NotFound, Plugin, Quotation, Redmine

plugin = Plugin()

_KEPT = """
id subject project tracker status priority author assigned_to fixed_version category description
start_date due_date done_ratio created_on updated_on closed_on journals
""".split()


@plugin.prompt(title="Summarize a ticket")
async def summarize_ticket(
    issue_id: Annotated[int, Field(ge=1, description="The number of the issue")],
    redmine: Redmine = CurrentRedmine(),
) -> str:
    """Sum up an issue for somebody who has never seen it: state, decisions, what is open."""
    try:
        answer = await redmine.get(f"/issues/{issue_id}.json", include="journals")
    except (NotFound, Forbidden):
        raise NotFound(f"Issue #{issue_id}") from None
    issue = {name: answer["issue"][name] for name in _KEPT if answer["issue"].get(name)}
    ticket = Quotation().enclose(json.dumps(issue, ensure_ascii=False, indent=1))
    return (
        f"Sum up Redmine issue #{issue_id} for somebody who has never seen it, in at most ten "
        "lines: what it is about, where it stands, what was decided and by whom, what is still "
        "open, and who has to do what next. Name no fact that is not in it.\n\n" + ticket
    )
