"""search_issues, against the sandbox's seed."""

from __future__ import annotations

import re
from typing import Any

import httpx
import jsonschema
import pytest
from redmine_mcp_issues import plugin
from redmine_mcp_sandbox import Sandbox

from redmine_mcp_core.testing import client_for, text_of, unmarked

SEARCH = "search_issues"


async def search(client: Any, query: str, **arguments: Any) -> Any:
    """What was found; the answer is valid against the schema that the tool declares."""
    result = await client.call_tool(SEARCH, {"query": query, **arguments})
    (tool,) = [tool for tool in await client.list_tools() if tool.name == SEARCH]
    jsonschema.validate(result.structured_content, tool.output_schema)
    return result


async def refusal(client: Any, query: str, **arguments: Any) -> str:
    result = await client.call_tool(SEARCH, {"query": query, **arguments}, raise_on_error=False)
    assert result.is_error
    return unmarked(text_of(result))


def ids(result: Any) -> list[int]:
    return [hit["id"] for hit in result.structured_content["hits"]]


async def test_hits_are_one_line_each(sign_in: Any, sandbox: Sandbox) -> None:
    """Number, tracker, status and subject, newest first, with how many there are in all."""
    async with sign_in() as client:
        result = await search(client, "login")

    lines = text_of(result).splitlines()
    assert ids(result)[:3] == [47, 43, 36]
    assert lines[1] == "#47 Feature, Feedback: Login events for the audit"
    assert lines[-1] == f"1-{len(ids(result))} of {result.structured_content['total']}"
    size = len(text_of(result).encode())
    assert size <= 750, f"a model reads {size} bytes:\n{text_of(result)}"
    assert len(sandbox.requests) == 1


async def test_programs_read_the_same_as_data(sign_in: Any) -> None:
    """Each hit's parts stand apart."""
    async with sign_in() as client:
        data = (await search(client, "avatars")).structured_content

    assert data == {
        "total": 1,
        "hits": [
            {
                "id": 20,
                "subject": "Cache avatars",
                "tracker": "Feature",
                "status": "Rejected",
                "on": "2026-01-24",
            }
        ],
    }


async def test_only_what_one_may_see_is_found(sign_in: Any) -> None:
    """A private project's issues are found by its members alone."""
    async with sign_in("alice") as client:
        alice = ids(await search(client, "login"))
    async with sign_in("carol") as client:
        carol = ids(await search(client, "login"))

    assert 43 in alice
    assert 43 not in carol
    assert set(carol) < set(alice)


@pytest.mark.parametrize(
    ("arguments", "found", "not_found"),
    [
        ({"query": "avatars"}, 20, 1),
        ({"query": "rows never arrives"}, 6, 1),
        ({"query": "screen reader"}, 1, 6),
        ({"query": "Umbrella"}, 3, 1),
        ({"query": "Müller"}, 8, 1),
        ({"query": "login slow", "any_word": True}, 36, 6),
        ({"query": "login", "project": "beta"}, 36, 1),
        ({"query": "login", "project": "alpha"}, 36, 43),
        ({"query": "Wellcome"}, 10, 1),
    ],
    ids=str,
)
async def test_where_words_are_looked_for(
    sign_in: Any, arguments: dict[str, Any], found: int, not_found: int
) -> None:
    """In subjects, descriptions, comments and custom fields; with subprojects; all words or any."""
    async with sign_in() as client:
        hits = ids(await search(client, **arguments))

    assert found in hits
    assert not_found not in hits


async def test_closed_issues_are_found_unless_not_wanted(sign_in: Any) -> None:
    """``open_only`` leaves them out."""
    async with sign_in() as client:
        assert ids(await search(client, "Wellcome")) == [10]
        assert ids(await search(client, "Wellcome", open_only=True)) == []


async def test_titles_only(sign_in: Any) -> None:
    """Words in a description do not count then."""
    async with sign_in() as client:
        anywhere = ids(await search(client, "login"))
        titles = ids(await search(client, "login", titles_only=True))

    assert set(titles) < set(anywhere)


async def test_all_words_or_any(sign_in: Any) -> None:
    """All by default."""
    async with sign_in() as client:
        every = ids(await search(client, "login phone"))
        some = ids(await search(client, "login phones", any_word=True))

    assert set(every) < set(some)
    assert 41 in some


async def test_nothing_found(sign_in: Any) -> None:
    """It is an answer and not an error."""
    async with sign_in() as client:
        result = await search(client, "xyzzy")

    assert text_of(result) == "Nothing found."
    assert result.structured_content == {"total": 0, "hits": []}


@pytest.mark.parametrize("query", ["", " ", "a", "a b c", '"a"', '" "', "é"])
async def test_a_query_that_redmine_would_not_run_is_refused(
    sign_in: Any, sandbox: Sandbox, query: str
) -> None:
    """It drops words of one letter: nothing found would be a lie."""
    async with sign_in() as client:
        answer = await refusal(client, query)

    assert answer.endswith("[bad_argument]")
    assert "two letters" in answer
    assert sandbox.requests == []


@pytest.mark.parametrize("query", ["C++", "C#", "->", "a bc", "漢", "日本", "42", "#1"])
async def test_a_query_that_redmine_would_run_is_run(
    sign_in: Any, sandbox: Sandbox, query: str
) -> None:
    """Two characters of any kind are a word to Redmine, and one where that is a whole word."""
    async with sign_in() as client:
        await search(client, query)

    assert sandbox.hits("/search.json") == 1


@pytest.mark.parametrize(
    "project",
    ["../users", "alpha/../gamma", "%2e%2e", "alpha?x=1", "alpha#", "al pha", "alpha.json/", ".."],
)
async def test_a_strange_project_leads_nowhere(
    sign_in: Any, sandbox: Sandbox, project: str
) -> None:
    """What cannot be an identifier is looked up as a name, and is no part of a path."""
    async with sign_in() as client:
        answer = await refusal(client, "login", project=project)

    assert answer.endswith("There are: Alpha, Beta, Gamma (private). [bad_argument]")
    assert [request.path for request in sandbox.requests] == ["/projects.json"]


@pytest.mark.parametrize(("login", "project"), [("alice", "nothing"), ("carol", "gamma")])
async def test_a_project_that_is_missing_or_hidden(read_as: Any, login: str, project: str) -> None:
    """One sentence for both, with those that there are for this person."""
    async with read_as(login) as client:
        answer = await refusal(client, "login", project=project)

    there = "Alpha, Beta, Gamma (private)" if login == "alice" else "Alpha, Beta"
    assert answer == f"There is no project “{project}” here. There are: {there}. [bad_argument]"


@pytest.mark.parametrize("project", ["alpha", "Alpha", "1", "Gamma (private)", "gamma"])
async def test_a_project_by_identifier_name_or_id(read_as: Any, project: str) -> None:
    """As a person would call it."""
    async with read_as() as client:
        found = ids(await search(client, "login", project=project))

    assert (43 in found) == project.casefold().startswith("gamma")


async def test_a_refused_search_everywhere_blames_no_project() -> None:
    """Where no project was named, none is in the sentence."""
    transport = httpx.MockTransport(lambda _: httpx.Response(403))
    async with client_for(plugin, redmine=transport, token="token") as client:
        answer = await refusal(client, "login")

    assert "Project" not in answer
    assert answer.endswith("[forbidden]")


def many(total: int) -> httpx.MockTransport:
    """A Redmine that finds this many issues, and hands them out by the page."""

    def answer(request: httpx.Request) -> httpx.Response:
        offset, limit = (int(request.url.params[name]) for name in ("offset", "limit"))
        found = range(offset + 1, min(offset + limit, total) + 1)
        results = [
            {
                "id": number,
                "title": f"Bug #{number} (New): Subject {number}",
                "datetime": "2026-01-01T00:00:00Z",
            }
            for number in found
        ]
        return httpx.Response(200, json={"results": results, "total_count": total})

    return httpx.MockTransport(answer)


async def test_pages_follow_each_other() -> None:
    """Each says where it stands and names the next, until there is none."""
    async with client_for(plugin, redmine=many(60), token="token") as client:
        first, second, third = [await search(client, "bug", page=page) for page in (1, 2, 3)]

    assert text_of(first).splitlines()[-1] == "1-25 of 60; next: page=2"
    assert text_of(second).splitlines()[-1] == "26-50 of 60; next: page=3"
    assert text_of(third).splitlines()[-1] == "51-60 of 60"
    assert [*ids(first), *ids(second), *ids(third)] == list(range(1, 61))
    assert second.structured_content["page"] == 2


async def test_a_page_past_the_end_says_so(sign_in: Any) -> None:
    """How many there are is told, and that this page is beyond."""
    async with sign_in() as client:
        result = await search(client, "login", page=9)

    assert re.fullmatch(r"\d+ in all, but page 9 is past the last\.", text_of(result))
    assert result.structured_content["hits"] == []


@pytest.mark.parametrize(
    ("title", "hit"),
    [
        (
            "Bug #7 (In Progress): Login (again): fails",
            {"tracker": "Bug", "status": "In Progress", "subject": "Login (again): fails"},
        ),
        (
            "Change request #7 (Waiting (customer)): x",
            {"tracker": "Change request", "status": "Waiting (customer)", "subject": "x"},
        ),
        ("Bug #7 (New): ", {"tracker": "Bug", "status": "New", "subject": ""}),
        ("Something else", {"subject": "Something else"}),
        ("Bug #7 (New): a\n#1 b", {"tracker": "Bug", "status": "New", "subject": "a #1 b"}),
    ],
)
async def test_a_title_is_taken_apart(title: str, hit: dict[str, str]) -> None:
    """Tracker, status and subject, whatever they hold; a title of another kind is a subject."""
    answer = {"results": [{"id": 7, "title": title}], "total_count": 1}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    async with client_for(plugin, redmine=transport, token="token") as client:
        result = await search(client, "login")

    assert result.structured_content["hits"] == [{"id": 7, **hit}]


async def test_what_strangers_wrote_is_quoted(sign_in: Any) -> None:
    """Subjects stand between marks; the count does not."""
    async with sign_in() as client:
        text = text_of(await search(client, "quote"))

    mark = text[1:].split()[0]
    assert text.startswith(f"«{mark} data from Redmine")
    assert f"\n{mark}»\n1-1 of 1" in text


async def test_each_search_is_one_question(sign_in: Any, sandbox: Sandbox) -> None:
    """No name has to be asked for."""
    async with sign_in() as client:
        await search(client, "login", project="alpha", open_only=True, titles_only=True)

    (request,) = sandbox.requests
    assert request.path == "/projects/alpha/search.json"
    assert dict(httpx.QueryParams(request.query)) == {
        "q": "login",
        "issues": "1",
        "open_issues": "1",
        "titles_only": "1",
        "scope": "subprojects",
        "limit": "25",
        "offset": "0",
    }


async def test_where_any_word_will_do_the_most_come_first(read_as: Any) -> None:
    """Redmine orders by time alone; a subject with all the words is what is looked for."""
    async with read_as() as client:
        any_word = await search(client, "app crashes start", any_word=True)
        all_words = await search(client, "app crashes start")

    assert len(ids(any_word)) > len(ids(all_words)) == 1
    assert ids(any_word)[0] == ids(all_words)[0]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ({"query": "#12"}, "Issue 12 itself: get_issue_details(issue_id=12)"),
        ({"query": "12"}, "Issue 12 itself: get_issue_details(issue_id=12)"),
        ({"query": "login unheard-of"}, "With any of the words: any_word=true"),
    ],
)
async def test_what_may_be_meant_is_told(
    read_as: Any, arguments: dict[str, Any], hint: str
) -> None:
    """A number is searched for as a word, and all words have to occur."""
    async with read_as() as client:
        result = await search(client, **arguments)
        plain = await search(client, "login")

    assert text_of(result).splitlines()[-1] == hint
    assert result.structured_content["hint"] == hint
    assert "hint" not in plain.structured_content


async def test_words_that_redmine_drops_are_told(read_as: Any) -> None:
    """It takes five, of two letters or more, and says nothing of the others."""
    async with read_as() as client:
        result = await search(client, "the login page is a slow one again", any_word=True)
        fine = await search(client, "login page")

    assert text_of(result).splitlines()[-1].startswith("Not searched for: “a”, “one”, “again”.")
    assert result.structured_content["words_left_out"] == ["a", "one", "again"]
    assert "Not searched for" not in text_of(fine)
