"""What a model has to read, in bytes: ``python benchmarks/tokens.py``, or ``make tokens``.

It prints, and writes to benchmarks/tokens.json,

- per listed tool: name, description and input schema, which every conversation begins with;
- per standard task: the text and the structured content of the answer, and the calls to Redmine,
  the first time and once reference data is warm.

Single answers have budgets for a Redmine with more in it than the sandbox. What such a one, a
Redmine 6.1.5, answered to those tasks is in benchmarks/recorded/ (see record.py), so that anybody
can measure them. All tasks run against the sandbox in this process; against the real Redmine at
REAL_REDMINE_URL, which has the same seed (see tests/real_redmine); and against the larger one,
where LAB_REDMINE_URL and LAB_REDMINE_KEY (alice's API key) name it.
Exit code 1 if a budget is exceeded or a task fails. Nothing is written to Redmine.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.mcp.hello import INSTRUCTIONS
from redmine_mcp_core.testing import client_for, seen_by_model, text_of

WRITTEN_TO = Path(__file__).with_suffix(".json")
SEED = Path(__file__).parents[1] / "plugins/sandbox/redmine_mcp_sandbox/seed.json"
RECORDED = Path(__file__).with_name("recorded")
BUDGETED = ("recorded", "lab")
"""The targets for which the budgets of single answers are meant."""

MOST_TOOLS = 25
SEEN_BYTES = 10_000
INSTRUCTION_BYTES = 1_000
STRUCTURED_FACTOR = 3
"""How many times the budget of its text the structured content may take."""


@dataclass(frozen=True)
class Task:
    """Something a person asks for in a working day, as user alice in project alpha."""

    name: str
    call: str
    """A tool; or, where there is a URI instead, a resource; or a prompt."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    budget: int | None = None
    """Bytes of text, on the larger seed; tasks that have one are recorded."""

    async def answer(self, client: Client[FastMCPTransport]) -> tuple[str, str]:
        """The text, and the structured content as compact JSON."""
        if "://" in self.call:
            contents = await client.read_resource(self.call)
            return "\n".join(getattr(one, "text", "") for one in contents), ""
        if self.call.startswith("/"):
            prompt = await client.get_prompt(self.call[1:], dict(self.arguments))
            texts = (getattr(message.content, "text", "") for message in prompt.messages)
            return "\n".join(texts), ""
        result = await client.call_tool(self.call, dict(self.arguments))
        return text_of(result), compact(result.structured_content)


ALPHA = {"project": "alpha"}
DRAFT = {"subject": "Login fails", "tracker": "Bug", "priority": "High", "assignee": "me"}
TASKS = (
    Task("25 open issues", "list_issues", ALPHA, 1_650),
    Task("25 issues by priority", "list_issues", {**ALPHA, "sort": "-priority,due"}, 1_650),
    Task("issue 1 overview", "get_issue_details", {"issue_id": 1}, 1_800),
    Task("issue 1, everything", "get_issue_details", {"issue_id": 1, "focus": "everything"}),
    Task("search login", "search_issues", {"query": "login"}, 1_800),
    Task("current user", "redmine://users/me", budget=120),
    Task(
        "open bugs per version", "list_issues", {**ALPHA, "tracker": "Bug", "group_by": "version"}
    ),
    Task("my overdue issues", "list_issues", {"assignee": "me", "due": "overdue"}),
    Task("project summary", "project_summary", ALPHA),
    Task("a project", "get_project", ALPHA),
    Task("projects", "list_projects"),
    Task("create, dry run", "create_issue", {**ALPHA, **DRAFT, "dry_run": True}),
    Task(
        "update, dry run",
        "update_issue",
        {"issue_id": 1, "notes": "Done.", "done_ratio": 50, "dry_run": True},
    ),
    Task("find a tool", "find_tools", {"query": "close a version"}),
    Task("versions", "call_tool", {"name": "list_versions", "arguments": ALPHA}),
    Task("my hours", "call_tool", {"name": "list_time_entries", "arguments": {"user": "me"}}),
    Task(
        "my hours by day and issue",
        "call_tool",
        {
            "name": "list_time_entries",
            "arguments": {"user": "me", "spent_on": "2026-01", "group_by": "day, issue"},
        },
    ),
    Task(
        "hours on a version",
        "call_tool",
        {
            "name": "list_time_entries",
            "arguments": {**ALPHA, "version": "1.1", "group_by": "user"},
        },
    ),
    Task("prompt: ticket", "/summarize_ticket", {"issue_id": "1"}),
    Task("prompt: triage", "/triage", ALPHA),
)


@dataclass(frozen=True)
class Measured:
    """What a task costs."""

    task: str
    text: int = 0
    """Bytes, as all sizes here."""
    structured: int = 0
    calls: int = 0
    """Requests to Redmine, with nothing known yet."""
    warm_calls: int = 0
    budget: int | None = None
    error: str | None = None

    @property
    def exceeded(self) -> Iterator[str]:
        if self.error:
            yield f"{self.task}: {self.error}"
        elif self.budget is not None:
            if self.text > self.budget:
                yield f"{self.task}: {self.text} bytes of text, budget {self.budget}"
            most = self.budget * STRUCTURED_FACTOR
            if self.structured > most:
                yield f"{self.task}: {self.structured} bytes of structured content, budget {most}"


class Recorded(httpx.MockTransport):
    """Answers as Redmine did when it was recorded; 404, and a note of it, for anything else."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self._answers: dict[str, Any] = {}
        for path in RECORDED.glob("*.json"):
            self._answers |= json.loads(path.read_text(encoding="utf-8"))
        self.missing: list[str] = []

    def _answer(self, request: httpx.Request) -> httpx.Response:
        asked = request_line(request)
        if asked in self._answers:
            return httpx.Response(200, json=self._answers[asked])
        self.missing.append(asked)
        return httpx.Response(404)


class Counting(httpx.AsyncBaseTransport):
    """A way to Redmine that counts requests, and shows an API key instead of a token."""

    def __init__(self, inner: httpx.AsyncBaseTransport, url: str = "", key: str = "") -> None:
        self._inner = inner
        self._url = httpx.URL(url)
        self._key = key
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if self._key:
            to = self._url
            request.url = request.url.copy_with(scheme=to.scheme, host=to.host, port=to.port)
            request.headers["Host"] = to.netloc.decode()
            del request.headers["Authorization"]
            request.headers["X-Redmine-API-Key"] = self._key
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Target:
    """A Redmine to measure against: the one at ``url``, the recorded one, or a sandbox.

    ``inner`` is the way to the one at ``url``, where it is not the usual one.
    """

    def __init__(
        self,
        url: str = "",
        key: str = "",
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        recorded: bool = False,
    ) -> None:
        self._url = url
        self._key = key
        self._inner = inner
        self._recorded = Recorded() if recorded else None
        self._sandbox = None if url or recorded else Sandbox("http://redmine.test")
        self._plugins = [entry.load() for entry in entry_points(group="redmine_mcp")]
        self._scopes = sorted(
            {scope for plugin in self._plugins for scope in getattr(plugin, "scopes", ())}
        )

    @property
    def tasks(self) -> list[Task]:
        """The tasks that this Redmine can answer."""
        return [task for task in TASKS if task.budget or not self._recorded]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[tuple[Client[FastMCPTransport], Counting]]:
        """A server that knows nothing yet, and a client of it.

        Raises ``LookupError``, on the way out, for requests that were not recorded: what a tool
        makes of an answer that is not there must not be measured.
        """
        token = "none"
        if self._sandbox:
            way = Counting(httpx.ASGITransport(self._sandbox.app))
            token = self._sandbox.grant("alice", self._scopes).access_token
        elif self._recorded:
            way = Counting(self._recorded)
        else:
            way = Counting(self._inner or httpx.AsyncHTTPTransport(), self._url, self._key)
        try:
            async with client_for(*self._plugins, redmine=way, token=token) as client:
                yield client, way
        finally:
            if self._recorded and self._recorded.missing:
                raise LookupError(f"not recorded: {', '.join(self._recorded.missing)}")


async def definitions(target: Target) -> dict[str, int]:
    """Bytes that a model sees of each listed tool, the largest first."""
    async with target.client() as (client, _):
        sizes = {tool.name: size(seen_by_model(tool)) for tool in await client.list_tools()}
    return dict(sorted(sizes.items(), key=lambda one: -one[1]))


async def measured(task: Task, target: Target, *, budgeted: bool) -> Measured:
    """One task on a fresh server, twice."""
    try:
        async with target.client() as (client, way):
            text, structured = await task.answer(client)
            cold = way.calls
            await task.answer(client)
    except Exception as error:  # noqa: BLE001 - whatever it is, it stands in the table
        return Measured(task.name, error=str(error).splitlines()[0][:200])
    budget = task.budget if budgeted else None
    return Measured(task.name, size(text), size(structured), cold, way.calls - cold, budget)


def targets() -> Iterator[tuple[str, Target]]:
    """The Redmines there are, by the name of what they are."""
    yield "recorded", Target(recorded=True)
    yield "sandbox", Target()
    if url := os.environ.get("REAL_REDMINE_URL"):
        users = json.loads(SEED.read_text(encoding="utf-8"))["users"]
        yield (
            "real",
            Target(url, next(user["api_key"] for user in users if user["login"] == "alice")),
        )
    if url := os.environ.get("LAB_REDMINE_URL"):
        yield "lab", Target(url, os.environ["LAB_REDMINE_KEY"])


def request_line(request: httpx.Request) -> str:
    """What a recorded answer is found by."""
    return f"{request.method} {request.url.raw_path.decode()}"


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) if value else ""


def size(text: str) -> int:
    return len(text.encode())


async def main() -> int:
    exceeded: list[str] = []
    tools = await definitions(Target())
    seen, instructions = sum(tools.values()), size(INSTRUCTIONS)
    print(f"{'listed tool':24}{'bytes':>8}")
    for name, taken in tools.items():
        print(f"{name:24}{taken:8,}")
    print(f"{f'{len(tools)} of at most {MOST_TOOLS}':24}{seen:8,} of at most {SEEN_BYTES:,}")
    print(f"{'instructions':24}{instructions:8,} of less than {INSTRUCTION_BYTES:,}")
    if len(tools) > MOST_TOOLS or seen > SEEN_BYTES:
        exceeded.append(f"tools: {seen} bytes in {len(tools)} tools")
    if instructions >= INSTRUCTION_BYTES:
        exceeded.append(f"instructions: {instructions} bytes")

    tables: dict[str, list[dict[str, Any]]] = {}
    for name, target in targets():
        found = [await measured(task, target, budgeted=name in BUDGETED) for task in target.tasks]
        head = f"task, on {name}"
        print(f"\n{head:24}{'text':>8}{'struct':>8}{'calls':>7}{'warm':>6}{'budget':>8}")
        for one in found:
            budget = f"{one.budget:8,}" if one.budget else ""
            figures = f"{one.text:8,}{one.structured:8,}{one.calls:7}{one.warm_calls:6}{budget}"
            print(f"{one.task:24}{one.error or figures}")
            exceeded += (f"on {name}, {complaint}" for complaint in one.exceeded)
        tables[name] = [
            {key: value for key, value in asdict(one).items() if value is not None} for one in found
        ]

    report = {
        "unit": "bytes",
        "budgets": {
            "tools": MOST_TOOLS,
            "seen": SEEN_BYTES,
            "instructions": INSTRUCTION_BYTES,
            "of answers on": BUDGETED,
            "structured at most times the text's budget": STRUCTURED_FACTOR,
        },
        "instructions": instructions,
        "seen": seen,
        "tools": tools,
        "tasks": tables,
    }
    WRITTEN_TO.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for complaint in exceeded:
        print(f"over budget: {complaint}", file=sys.stderr)
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
