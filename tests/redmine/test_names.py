"""Names for ids and ids for names."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.redmine import BadArgument, Credential, Gateway, Redmine
from redmine_mcp_core.redmine.names import find

URL = "http://redmine.test"
ALPHA: dict[str, Any] = {"project": {"id": 1, "identifier": "alpha", "name": "Alpha"}}
STATUSES = {1: "New", 2: "In Progress", 3: "In Review", 4: "Closed", 12: "2"}


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        (2, 2),
        ("2", 2),
        ("#2", 2),
        ("12", 12),
        ("New", 1),
        ("new", 1),
        ("  NEW ", 1),
        ("In Progress", 2),
        ("in p", 2),
        ("clo", 4),
    ],
)
def test_a_name_or_an_id_is_found(wanted: int | str, number: int) -> None:
    """By id, by name in any case, or by how a name begins where only one does."""
    assert find("issue_statuses", STATUSES, wanted) == number


@pytest.mark.parametrize("wanted", ["Nwe", "99", "", " ", "#", "²", "9" * 5000, "٢"])
def test_an_unknown_name_answers_with_the_valid_ones(wanted: str) -> None:
    """In one sentence of bounded length."""
    with pytest.raises(BadArgument) as caught:
        find("issue_statuses", STATUSES, wanted)

    assert str(caught.value).startswith("There is no status")
    assert "New, In Progress, In Review, Closed" in str(caught.value)
    assert len(str(caught.value)) < 250


def test_between_two_names_nothing_is_guessed() -> None:
    """Both are told, with their ids."""
    with pytest.raises(BadArgument, match=r"In Progress \(id 2\), In Review \(id 3\)"):
        find("issue_statuses", STATUSES, "in")


def test_a_long_list_is_told_in_part() -> None:
    """How many more there are is said."""
    with pytest.raises(BadArgument, match="and 70 more"):
        find("projects", {number: f"Project {number}" for number in range(100)}, "nothing")


class Lists:
    """A Redmine with these lists, that counts how often each is read."""

    def __init__(self, **lists: Any) -> None:
        self.lists = lists
        self.read: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.read.append(request.url.path)
        key = request.url.path.rpartition("/")[2].removesuffix(".json")
        found = self.lists[key]
        if isinstance(found, dict):
            return httpx.Response(200, json=found)
        offset = int(request.url.params.get("offset", 0))
        limit = int(request.url.params["limit"])
        page = {key: found[offset : offset + limit]}
        meta = {"total_count": len(found), "offset": offset, "limit": limit}
        return httpx.Response(200, json={**page, **meta})

    def gateway(self) -> Gateway:
        return Gateway("http://redmine.test", transport=httpx.MockTransport(self.answer))


def user(gateway: Gateway, token: str = "one") -> Redmine:
    return Redmine(gateway, Credential.bearer(token))


def projects(count: int) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"Project {number}"} for number in range(1, count + 1)]


async def test_a_list_of_several_pages_is_read_whole() -> None:
    """In its order, and no page twice."""
    lists = Lists(projects=projects(250))

    async with lists.gateway() as gateway:
        names = await user(gateway).names("projects")

    assert list(names) == list(range(1, 251))
    assert len(lists.read) == 3


async def test_what_depends_on_who_looks_is_kept_apart() -> None:
    """One caller's projects are never another's."""
    lists = Lists(projects=projects(1))

    async with lists.gateway() as gateway:
        await user(gateway, "one").names("projects")
        await user(gateway, "one").names("projects")
        await user(gateway, "two").names("projects")

    assert len(lists.read) == 2


async def test_what_was_changed_is_read_again() -> None:
    """A version just made is known by name at once."""
    lists = Lists(alpha=ALPHA, versions={"versions": [{"id": 1, "name": "1.0"}], "total_count": 1})

    async with lists.gateway() as gateway:
        redmine = user(gateway)
        assert await redmine.id_of("versions", "1.0", "alpha") == 1
        lists.lists["versions"]["versions"].append({"id": 2, "name": "2.0"})
        with pytest.raises(BadArgument):
            await redmine.id_of("versions", "2.0", "alpha")
        redmine.forget_names("versions", 1)

        assert await redmine.id_of("versions", "2.0", "alpha") == 2


async def test_members_are_people_and_groups() -> None:
    """Each once, however many roles they have."""
    lists = Lists(
        memberships={
            "memberships": [
                {"user": {"id": 5, "name": "Alice Ace"}},
                {"group": {"id": 9, "name": "Team Red"}},
                {"user": {"id": 5, "name": "Alice Ace"}},
            ],
            "total_count": 3,
            "offset": 0,
            "limit": 100,
        }
    )

    async with lists.gateway() as gateway:
        names = await user(gateway).names("members", 1)

    assert names == {5: "Alice Ace", 9: "Team Red"}


async def test_custom_fields_are_those_of_a_project() -> None:
    """Read from the project itself, since the list is for administrators."""
    fields = [{"id": 1, "name": "Customer"}]
    lists = Lists(**{"1": {"project": {**ALPHA["project"], "issue_custom_fields": fields}}})

    async with lists.gateway() as gateway:
        assert await user(gateway).names("issue_custom_fields", 1) == {1: "Customer"}


@pytest.mark.parametrize("spelt", ["alpha", "1", 1, "Alpha", "ALPHA", " alpha "])
async def test_a_project_is_one_however_it_is_spelt(spelt: int | str) -> None:
    """What was read of it by one name is not read again by another."""
    lists = Lists(
        alpha=ALPHA,
        **{"1": ALPHA},
        projects=[ALPHA["project"]],
        versions={"versions": [{"id": 1, "name": "1.0"}], "total_count": 1},
    )

    async with lists.gateway() as gateway:
        redmine = user(gateway)
        await redmine.names("versions", 1)
        assert await redmine.names("versions", spelt) == {1: "1.0"}

    assert lists.read.count("/projects/1/versions.json") == 1
    assert "/projects/alpha/versions.json" not in lists.read


async def test_a_project_is_asked_for_once() -> None:
    """Until something of the projects was changed."""
    lists = Lists(alpha=ALPHA)

    async with lists.gateway() as gateway:
        redmine = user(gateway)
        assert (await redmine.project("alpha"))["id"] == 1
        await redmine.project("alpha")
        assert len(lists.read) == 1
        redmine.forget_names("projects")
        await redmine.project("alpha")

    assert len(lists.read) == 2


async def test_a_closed_project_is_found_by_its_name() -> None:
    """Redmine lists only active ones, unless it is asked for both."""
    sandbox = Sandbox(URL)
    async with Gateway(URL, transport=httpx.ASGITransport(sandbox.app)) as gateway:
        redmine = Redmine(gateway, Credential.api_key(sandbox.api_key("alice")))
        await redmine.put("/projects/gamma/close.json", {})
        assert (await redmine.project("Gamma (private)"))["identifier"] == "gamma"
        assert await redmine.id_of("projects", "GAMMA") == 3
