"""Versions, members and issue categories."""

from __future__ import annotations

from typing import Any

from redmine_mcp_core.testing import text_of, unmarked


async def told(client: Any, tool: str, **arguments: Any) -> Any:
    return (await client.call_tool(tool, arguments)).structured_content


async def refusal(client: Any, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    assert result.is_error, text_of(result)
    return unmarked(text_of(result))


async def test_versions_are_listed_and_told_apart(redmine: Any) -> None:
    """By status; a version that another project shares says whose it is."""
    async with redmine.client() as client:
        alpha = await told(client, "list_versions", project="alpha")
        closed = await told(client, "list_versions", project="alpha", status="closed")
        beta = await told(client, "list_versions", project="beta")

    assert [version["name"] for version in alpha["versions"]] == ["1.0", "1.1", "2.0"]
    assert [version["name"] for version in closed["versions"]] == ["1.0"]
    shared = {one["name"]: one.get("shared_by") for one in beta["versions"]}
    assert shared["1.1"] == "Alpha"


async def test_a_version_from_beginning_to_end(written: Any) -> None:
    """Created, found by its new name at once, closed, and deleted once the person agreed."""
    async with written.client() as client:
        await told(client, "update_version", project="alpha", version="2.0", description="Soon")
        made = await told(
            client, "create_version", project="alpha", name="3.0", due_date="2027-01-01"
        )
        changed = await told(
            client, "update_version", project="alpha", version="3.0", status="closed", due_date=""
        )
        asked = await refusal(client, "delete_version", project="alpha", version="3.0")
        gone = await told(client, "delete_version", project="alpha", version="3.0", confirm=True)
        left = await refusal(client, "update_version", project="alpha", version="3.0", name="4")

    assert made["name"] == "3.0 of Alpha"
    assert changed["changed"] == {
        "status": {"before": "open", "after": "closed"},
        "due_date": {"before": "2027-01-01"},
    }
    assert "3.0 of Alpha" in asked
    assert gone["what"] == "Version deleted"
    assert "There are: 1.0, 1.1, 2.0" in left


async def test_what_redmine_leaves_out_is_told(written: Any) -> None:
    """It says 201 all the same: only an administrator shares a version with every project."""
    async with written.client() as client:
        result = await client.call_tool(
            "create_version", {"project": "alpha", "name": "3.0", "sharing": "system"}
        )
    assert result.structured_content["not_taken"] == {"sharing": "system"}
    assert "Redmine silently left out: sharing." in text_of(result)


async def test_a_version_in_use_is_not_deleted(written: Any) -> None:
    """How many issues use it, and what to do instead; the person is not asked for nothing."""
    async with written.client() as client:
        sentence = await refusal(
            client, "delete_version", project="alpha", version="1.1", confirm=True
        )
    assert "issues are planned for this version" in sentence
    assert "status=closed" in sentence
    assert not [asked for asked in written.way.seen if asked.method == "DELETE"]


async def test_a_wrong_date_is_refused_before_redmine_is_asked(redmine: Any) -> None:
    """The argument is named."""
    async with redmine.client() as client:
        sentence = await refusal(
            client, "create_version", project="alpha", name="x", due_date="soon"
        )
    assert "due_date" in sentence
    assert redmine.way.seen == []


async def test_members_are_listed_with_their_roles(redmine: Any) -> None:
    """A role that comes from a group says so."""
    async with redmine.client() as client:
        text = text_of(await client.call_tool("list_members", {"project": "beta"}))
    assert "Team Red (group): Reporter" in text
    assert "Bob Builder: Reporter (inherited)" in text


async def test_a_member_from_beginning_to_end(written: Any) -> None:
    """By names: somebody who is no administrator finds people in the projects they see."""
    async with written.client() as client:
        added = await told(client, "add_member", project="alpha", user="dave", roles=["reporter"])
        changed = await told(
            client, "update_member", project="alpha", user="Dave Dunn", roles=["Developer"]
        )
        asked = await refusal(client, "remove_member", project="alpha", user="dave")
        await told(client, "remove_member", project="alpha", user="dave", confirm=True)
        members = await told(client, "list_members", project="alpha")

    assert added["name"] == "Dave Dunn in Alpha"
    assert changed["changed"] == {"roles": {"before": "Reporter", "after": "Developer"}}
    assert "Dave Dunn" in asked
    assert "Dave Dunn" not in [member["name"] for member in members["members"]]


async def test_an_inherited_role_stays(written: Any) -> None:
    """It is taken away where it was given, and the answer says so."""
    async with written.client("admin") as client:
        stays = await refusal(client, "remove_member", project="beta", user="bob", confirm=True)
        deleted = [asked for asked in written.way.seen if asked.method == "DELETE"]
        changed = await told(
            client, "update_member", project="beta", user="bob", roles=["Developer"]
        )
        await told(client, "update_member", project="beta", user="Team Red", roles=["Manager"])
        sentence = await refusal(
            client, "remove_member", project="alpha", user="nobody", confirm=True
        )
    assert "cannot be taken away here" in stays
    assert deleted == []
    assert changed["kept"] == "Inherited and kept: Reporter."
    assert "There is no member “nobody” here" in sentence


async def test_somebody_unknown_cannot_be_added(written: Any) -> None:
    """An unknown role answers with the roles there are."""
    async with written.client() as client:
        nobody = await refusal(
            client, "add_member", project="alpha", user="Mallory", roles=["Reporter"]
        )
        role = await refusal(client, "add_member", project="alpha", user="me", roles=["Boss"])
        twice = await refusal(client, "add_member", project="alpha", user="me", roles=["Manager"])
    assert "Nobody called “Mallory”" in nobody
    assert "There are: Manager, Developer, Reporter" in role
    assert "already been taken" in twice


async def test_a_category_from_beginning_to_end(written: Any) -> None:
    """Its issues go to another category if one is named; the question says how many."""
    async with written.client() as client:
        made = await told(client, "create_category", project="alpha", name="Mobile", assignee="me")
        changed = await told(
            client, "update_category", project="alpha", category="mobile", assignee=""
        )
        arguments = {"project": "alpha", "category": "UI", "reassign_to": "Mobile"}
        asked = await refusal(client, "delete_category", **arguments)
        gone = await told(client, "delete_category", **arguments, confirm=True)
        left = await told(client, "list_categories", project="alpha")

    assert made["name"] == "Mobile of Alpha"
    assert changed["changed"] == {"assigned_to": {"before": "Alice Ace"}}
    assert "issues go to the second" in asked
    assert "moved" in gone["note"]
    assert [category["name"] for category in left["categories"]] == ["API", "Docs", "Mobile"]


async def test_carol_may_not(written: Any) -> None:
    """A Reporter manages neither versions nor members nor categories."""
    async with written.client("carol") as client:
        for tool, arguments in (
            ("create_version", {"name": "9"}),
            ("create_category", {"name": "X"}),
            ("add_member", {"user": "8", "roles": ["Reporter"]}),
        ):
            assert "forbidden" in await refusal(client, tool, project="alpha", **arguments)


async def test_reference_data_in_one_tool(redmine: Any) -> None:
    """Only the lists that are asked for, each read once."""
    async with redmine.client("carol") as client:
        result = await client.call_tool("list_reference_data", {"lists": ["statuses", "roles"]})

    assert text_of(result).splitlines()[1:-1] == [
        "Statuses: New, In Progress, Resolved, Feedback, Closed (closed), Rejected (closed)",
        "Roles: Manager, Developer, Reporter",
    ]
    assert len(redmine.way.seen) == 2


async def test_saved_queries_are_listed(redmine: Any) -> None:
    """The public ones and one's own, with the project they belong to."""
    async with redmine.client() as client:
        data = await told(client, "list_queries", project="alpha")
    assert "Issues assigned to me" in [query["name"] for query in data["queries"]]
