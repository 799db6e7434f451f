"""Record what a Redmine answers to the tasks that have a budget: ``python benchmarks/record.py``.

LAB_REDMINE_URL, which has to be on 127.0.0.1, and LAB_REDMINE_KEY, alice's API key, name it. For
each task of tokens.py it writes a file of benchmarks/recorded/: request lines, and the JSON that
Redmine answered, less every ``api_key``. Needed again when a tool asks Redmine for something else.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx

from benchmarks.tokens import RECORDED, Target, Task, request_line


class Recording(httpx.AsyncHTTPTransport):
    """A way to Redmine that keeps what was asked and answered."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        body = json.loads(await response.aread(), object_hook=without_key)
        if response.status_code != httpx.codes.OK:
            raise AssertionError(f"{response.status_code} to {request_line(request)}")
        self.answers[request_line(request)] = body
        return response


def without_key(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "api_key"}


async def record(task: Task, url: str, key: str) -> dict[str, Any]:
    """Request lines and answers of one task."""
    recording = Recording()
    async with Target(url, key, inner=recording).client() as (client, _):
        await task.answer(client)
    return recording.answers


async def main() -> None:
    url, key = os.environ["LAB_REDMINE_URL"], os.environ["LAB_REDMINE_KEY"]
    if httpx.URL(url).host != "127.0.0.1":
        sys.exit("Redmine's answers hold its address: record one on 127.0.0.1")
    RECORDED.mkdir(exist_ok=True)
    for task in Target(recorded=True).tasks:
        answers = await record(task, url, key)
        path = RECORDED / f"{task.name.replace(' ', '_')}.json"
        text = json.dumps(answers, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
        print(f"{path.name}: {', '.join(answers)}")


if __name__ == "__main__":
    asyncio.run(main())
