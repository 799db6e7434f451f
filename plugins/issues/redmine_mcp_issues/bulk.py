"""The same change to many issues: looked at first, a few at a time, with a result for each.

Each issue goes through ``update_issue``, so that all that it checks and tells holds here as well.
Nothing is written unless ``dry_run`` is turned off: one wrong filter would otherwise be a hundred
wrong issues, and Redmine has no way back.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, create_model

from redmine_mcp_core import (
    BadArgument,
    Caller,
    CurrentCaller,
    CurrentProgress,
    CurrentRedmine,
    Invalid,
    Progress,
    Quotation,
    Redmine,
    RedmineError,
    Result,
    line,
)
from redmine_mcp_issues.changes import WrittenIssue
from redmine_mcp_issues.listed import list_issues
from redmine_mcp_issues.plugin import plugin
from redmine_mcp_issues.writing import update_issue

MOST_ISSUES = 100
AT_ONCE = 4
"""So that one call does not take all of Redmine's workers."""

_STOPPING = {"unauthorized", "account_locked"}
"""Errors that every further issue would meet as well, besides those of a Redmine in trouble."""
_OBJECT = {"type": "object"}
_BESIDE = frozenset({"notes", "log_hours", "relations", "watchers"})
_NO_FILTER = frozenset({"project", "subprojects"})


def _arguments_of(tool: Callable[..., Any], without: set[str]) -> type[BaseModel]:
    """What a tool takes, as a model, so that a mapping of it is checked as a call would be."""
    parameters = inspect.signature(tool, eval_str=True).parameters.items()
    fields: dict[str, Any] = {
        name: (parameter.annotation, parameter.default)
        for name, parameter in parameters
        if name not in without | {"redmine", "caller"}
    }
    return create_model(tool.__name__, __config__=ConfigDict(extra="forbid"), **fields)


_Change = _arguments_of(update_issue, {"issue_id", "expected_updated_on", "dry_run"})
_Filter = _arguments_of(list_issues, {"sort", "group_by", "page"})


class IssueOutcome(BaseModel):
    """What became of one issue, or would."""

    id: int
    outcome: Literal["updated", "unchanged", "unread", "would_change", "failed", "not_tried"]
    changes: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def told(self) -> str:
        """All of it but the number, so that issues of which the same is told share a line."""
        parts = [
            "; ".join((*self.changes, *self.done)),
            f"silently dropped: {'; '.join(self.dropped)}" if self.dropped else "",
            f"not done: {'; '.join(self.failed)}" if self.failed else "",
        ]
        return f"{self.outcome.replace('_', ' ')}: {' · '.join(filter(None, parts))}".rstrip(": ")


class BulkUpdate(Result):
    """A result per issue."""

    dry_run: bool = False
    issues: tuple[IssueOutcome, ...]

    def text(self) -> str:
        together: dict[str, list[int]] = {}
        for issue in self.issues:
            together.setdefault(issue.told(), []).append(issue.id)
        body = "\n".join(
            f"{', '.join(f'#{number}' for number in ids)} {told}" for told, ids in together.items()
        )
        return f"{self._head()}\n{Quotation().enclose(body)}"

    def _head(self) -> str:
        bad = sum(issue.outcome in {"failed", "not_tried"} for issue in self.issues)
        if not self.dry_run:
            return f"{len(self.issues) - bad} of {len(self.issues)} written."
        ids = ", ".join(str(issue.id) for issue in self.issues if issue.outcome == "would_change")
        doing = f" To do it: issue_ids=[{ids}], dry_run=false." if ids else ""
        return f"Dry run: nothing was written.{doing}"


@plugin.tool(
    title="Change many issues",
    scopes={"view_issues", "add_issue_notes", "edit_issues"},
    listed=False,
)
async def bulk_update_issues(
    change: Annotated[
        dict[str, Any],
        WithJsonSchema({**_OBJECT, "description": "Arguments of update_issue, such as status"}),
    ],
    issue_ids: Annotated[tuple[int, ...], Field(max_length=MOST_ISSUES)] = (),
    filter: Annotated[  # noqa: A002 - what the caller reads
        dict[str, Any],
        WithJsonSchema({**_OBJECT, "description": "Or arguments of list_issues"}),
    ] = {},  # noqa: B006 - nobody changes it
    dry_run: bool = True,
    redmine: Redmine = CurrentRedmine(),
    caller: Caller = CurrentCaller(),
    progress: Progress = CurrentProgress(),
) -> BulkUpdate:
    """Make one change to up to 100 issues. Only shows what would happen unless dry_run=false."""
    wanted = _checked(_Change, "change", change)
    if not wanted:
        raise BadArgument("change is empty: nothing was asked to be changed.")
    if bool(issue_ids) == bool(filter):
        raise BadArgument("Give either issue_ids or filter.")
    ids = tuple(dict.fromkeys(issue_ids)) or await _fitting(redmine, filter)

    async def one(issue_id: int) -> WrittenIssue:
        return await update_issue(
            issue_id, **wanted, dry_run=dry_run, redmine=redmine, caller=caller
        )

    # A dry run of an update tells of attributes alone.
    beside = not _BESIDE.isdisjoint(wanted)
    return BulkUpdate(dry_run=dry_run, issues=await _each(ids, one, progress, beside=beside))


def _checked(model: type[BaseModel], name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that were given, as the tool takes them. Raises ``BadArgument``."""
    try:
        checked = model(**given)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(
            f"{name}.{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
            for problem in problems
        )
        raise BadArgument(f"{told}.") from None
    return {key: getattr(checked, key) for key in checked.model_fields_set}


async def _fitting(redmine: Redmine, asked: Mapping[str, Any]) -> tuple[int, ...]:
    """The issues of a filter. Raises ``BadArgument`` if it is none, or fits too many."""
    wanted = _checked(_Filter, "filter", asked)
    if not any(value for name, value in wanted.items() if name not in _NO_FILTER):
        raise BadArgument("filter is empty: say which issues besides the project, such as status.")
    found: dict[int, None] = {}
    page, total = 1, 1
    while len(found) < total:
        listed = await list_issues(**wanted, sort="id", page=page, redmine=redmine)
        total, page = listed.total, page + 1
        if total > MOST_ISSUES:
            raise BadArgument(f"{total} issues fit, and {MOST_ISSUES} are the most at once.")
        if not listed.issues:
            break
        found |= dict.fromkeys(row.id for row in listed.issues)
    if not found:
        raise BadArgument("No issue fits the filter.")
    return tuple(found)


async def _each(
    ids: Sequence[int],
    one: Callable[[int], Awaitable[WrittenIssue]],
    progress: Progress,
    *,
    beside: bool,
) -> tuple[IssueOutcome, ...]:
    """Each issue's outcome, in order. After an error that will not go away no more are begun."""
    limited = asyncio.Semaphore(AT_ONCE)
    done, stopped = 0, False
    again: list[int] = []

    async def outcome(issue_id: int, *, last: bool = False) -> IssueOutcome:
        nonlocal done, stopped
        if stopped:
            return IssueOutcome(id=issue_id, outcome="not_tried")
        try:
            found = _outcome(issue_id, await one(issue_id), beside=beside)
        except RedmineError as error:
            if _out_of_date(error) and not last:
                again.append(issue_id)
                return IssueOutcome(id=issue_id, outcome="not_tried")
            stopped = stopped or error.retryable or error.code in _STOPPING
            found = IssueOutcome(id=issue_id, outcome="failed", failed=(line(str(error)),))
        done += 1
        await progress(done, len(ids))
        return found

    async def in_turn(issue_id: int) -> IssueOutcome:
        async with limited:
            return await outcome(issue_id)

    found = {one.id: one for one in await asyncio.gather(*map(in_turn, ids))}
    for issue_id in again:
        found[issue_id] = await outcome(issue_id, last=True)
    return tuple(found.values())


def _out_of_date(error: RedmineError) -> bool:
    """Whether Redmine saved another issue of the family meanwhile, and so nothing of this one.

    It says 422 without a reason then (app/controllers/issues_controller.rb, ``update``, and
    ``lock_version``): a parent is saved along with its subtasks.
    """
    return isinstance(error, Invalid) and not error.messages


def _outcome(issue_id: int, written: WrittenIssue, *, beside: bool) -> IssueOutcome:
    changes = tuple(change.text() for change in written.changes)
    kind: Any = written.outcome
    if kind == "dry_run":
        would = "would_change" if changes or beside else "unchanged"
        kind = "failed" if written.problems else would
    return IssueOutcome(
        id=issue_id,
        outcome=kind,
        changes=changes,
        done=written.done,
        dropped=written.dropped,
        failed=(*written.failed, *written.problems),
    )
