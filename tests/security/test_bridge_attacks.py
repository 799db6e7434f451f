"""Attacks on the bridge (``redmine-mcp connect``): by a server on the machine of a person, and by a
client on the tools that were not let through."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from tests.connect.bridges import Home
from tests.connect.conftest import home as home  # a fixture
from tests.connect.conftest import theirs as theirs  # a fixture
from tests.connect.people import Clicking, connected
from tests.connect.test_signing_in import metadata_with
from tests.connect.theirs import Seen, Theirs

SEQUENCES = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\rgone"
"""Fill the clipboard, clear the screen, change colours, write over the line."""


async def test_no_server_writes_into_the_terminal(theirs: Theirs, home: Home) -> None:
    """What a server says of an error is shown without what a terminal would obey."""
    said = {"error": "access_denied", "error_description": SEQUENCES}
    theirs.front.once(lambda seen: seen.path == "/token", JSONResponse(said, 400), times=9)
    code, out, err = await home.run("connect", "login", theirs.url)

    assert code == 1
    assert "gone" in err
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(out + err)


PROGRAMS = ["file:///etc/passwd", "javascript:alert(1)", "ms-msdt:/id", "vscode://x", "\\\\evil\\x"]


@pytest.mark.parametrize("address", PROGRAMS)
async def test_no_server_opens_a_program(theirs: Theirs, address: str) -> None:
    """What the browser is sent to is a web address, at a device code as well."""
    person = Clicking()
    await metadata_with(theirs, authorization_endpoint=address)
    async with connected(theirs.url, person) as connection:
        await connection.add()

    assert person.shown == []
    assert address not in "".join(person.told)


@pytest.mark.parametrize("member", ["verification_uri", "verification_uri_complete"])
@pytest.mark.parametrize("address", PROGRAMS[:2])
async def test_no_device_code_opens_a_program(theirs: Theirs, address: str, member: str) -> None:
    """Nor is the person told to open such an address."""
    base = theirs.url.removesuffix("/mcp")
    await metadata_with(theirs, device_authorization_endpoint=f"{base}/device_authorization")
    page = f"{base}/device"
    codes = {"device_code": "x", "user_code": "X", "verification_uri": page}
    codes["verification_uri_complete"] = f"{page}?user_code=X"

    def reply(seen: Seen) -> Response | None:
        ours = seen.path == "/device_authorization"
        return (
            JSONResponse({**codes, "interval": 0, "expires_in": 1, member: address})
            if ours
            else None
        )

    theirs.front.replies.append(reply)
    person = Clicking()
    async with connected(theirs.url, person, device=True) as connection:
        await connection.add()

    assert person.shown == []
    assert address not in "".join(person.told)


CALL: dict[str, Any] = {"jsonrpc": "2.0", "method": "tools/call"}
WRITES = {"name": "write", "arguments": {"text": "x"}}


async def test_no_spelling_of_a_call_leads_round_the_bridge(theirs: Theirs, home: Home) -> None:
    """A tool that is not let through is called neither in a batch nor without an id, neither by
    another tool nor under two names."""
    again = {"name": "call_tool", "arguments": WRITES}
    lines = [
        json.dumps({**CALL, "id": 1, "params": WRITES}),
        json.dumps({**CALL, "id": None, "params": WRITES}),
        json.dumps([{**CALL, "id": 2, "params": WRITES}]),
        json.dumps({**CALL, "params": WRITES}),
        json.dumps({**CALL, "id": 3, "params": again}),
        json.dumps({**CALL, "id": 4, "params": {"name": "call_tool", "arguments": again}}),
        '{"jsonrpc":"2.0","id":5,"method":"tools\\u002fcall","params":{"name":"add"},"params":'
        + json.dumps(WRITES)
        + "}",
    ]
    async with home.bridge(theirs.url, "--ignore-tool", "write") as bridge:
        await bridge.open()
        for line in lines:
            bridge.say_line(line)
        last = await bridge.ask("tools/call", 9, name="add", arguments={"a": 1, "b": 2})

    assert last["result"]["structuredContent"] == {"result": 3}
    assert theirs.notes == []
    assert not [seen.body for seen in theirs.front.seen if b'"write"' in seen.body]
