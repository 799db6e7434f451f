"""Files on their way from Redmine and to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.redmine import BadArgument, Credential, Gateway, NotFound, Redmine, Unreadable

URL = "http://redmine.test"


@pytest.fixture
async def redmine() -> AsyncIterator[Redmine]:
    """A sandbox Redmine, as alice."""
    sandbox = Sandbox(URL)
    token = sandbox.grant("alice", ["view_issues", "add_issues"]).access_token
    async with Gateway(URL, transport=httpx.ASGITransport(sandbox.app), backoff=0.001) as gateway:
        yield Redmine(gateway, Credential.bearer(token))


class Drip(httpx.AsyncByteStream):
    """A body without an end, and how much of it was read."""

    def __init__(self) -> None:
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.read += 10
            yield b"x" * 10


async def test_a_file_is_read_as_it_is(redmine: Redmine) -> None:
    """Byte for byte, whatever it is."""
    content = await redmine.download("/attachments/download/2", limit=70)

    assert content.startswith(b"\x89PNG")
    assert len(content) == 70


async def test_a_file_that_is_not_there(redmine: Redmine) -> None:
    """Redmine answers with a page; the caller gets the error that it stands for."""
    with pytest.raises(NotFound):
        await redmine.download("/attachments/download/999", limit=70)


async def test_no_more_is_read_than_the_limit(redmine: Redmine) -> None:
    """Whatever the answer's header says of its size."""
    with pytest.raises(BadArgument, match="more than 69 bytes"):
        await redmine.download("/attachments/download/2", limit=69)

    body = Drip()
    network = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    async with Gateway(URL, transport=network) as gateway:
        with pytest.raises(BadArgument):
            await gateway.download("/attachments/download/2", limit=25)
    assert body.read == 30


async def test_a_login_page_is_no_file() -> None:
    """A Redmine that does not know the token sends a browser away to sign in."""
    network = httpx.MockTransport(lambda _: httpx.Response(302, headers={"Location": "/login"}))
    async with Gateway(URL, transport=network) as gateway:
        with pytest.raises(Unreadable):
            await gateway.download("/attachments/download/2", limit=25)


async def test_a_download_is_tried_again() -> None:
    """As every other reading is."""
    answers = iter([httpx.Response(503), httpx.Response(200, content=b"file")])
    network = httpx.MockTransport(lambda _: next(answers))
    async with Gateway(URL, transport=network, backoff=0.001) as gateway:
        assert await gateway.download("/attachments/download/2", limit=25) == b"file"


async def test_a_file_is_sent_as_bytes(redmine: Redmine) -> None:
    """As the one type that Redmine takes for a file, with its name beside it."""
    upload = await redmine.upload("/uploads.json", b"\x00\xff", filename="a b.bin")
    number = upload["upload"]["id"]
    held = (await redmine.get(f"/attachments/{number}.json"))["attachment"]

    assert (held["filename"], held["filesize"]) == ("a b.bin", 2)
    assert await redmine.download(f"/attachments/download/{number}", limit=2) == b"\x00\xff"
