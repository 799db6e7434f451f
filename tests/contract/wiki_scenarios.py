"""Scenarios that write wiki pages and read them again, for ``test_same_writes.py``."""

from __future__ import annotations

from typing import Any

from .steps import Step, delete, get, put, upload

ALPHA = "/projects/alpha/wiki"


def save(page: str, login: str | None = "alice", /, at: str = ALPHA, **fields: Any) -> Step:
    return put(f"{at}/{page}.json", {"wiki_page": fields}, login)


def page(title: str, login: str | None = "alice", at: str = ALPHA) -> Step:
    return get(f"{at}/{title}.json?include=attachments", login)


def pages(login: str | None = "alice", at: str = ALPHA) -> Step:
    return get(f"{at}/index.json", login)


# Each begins without the seed's pages, so that it can make a start page of its own.
EMPTIED = [delete(f"{ALPHA}/{title}.json") for title in ("Wiki", "Sign-in", "Backups")]

SCENARIOS: dict[str, list[Step]] = {
    "wiki: write": [
        *EMPTIED,
        pages(),
        get(f"{ALPHA}.json"),
        page("Wiki"),
        save("wiki", text="Hello\r\nWorld\n", comments="first"),
        get(f"{ALPHA}.json"),
        page("wIKI"),
        save("two%20words", text="x", parent_title="Wiki"),
        save("two%20words", text="y", parent_title="Nope"),
        save("two%20words", text="y", version=7),
        save("two%20words", text="y", version=1, comments="c"),
        page("two%20words"),
        page("Two_words/1"),
        page("Two_words/2", "carol"),
        page("Two_words/9"),
        save("two%20words", text="y", comments="only a comment"),
        save("two%20words", text="y", version=1),
        page("two%20words"),
        save("two%20words"),
        save("two%20words", text=""),
        save("two%20words", text="  "),
        save("two%20words", text="z", comments="c" * 1025),
        put(f"{ALPHA}/two%20words.json", {}),
        save("two%20words", text="y", parent_title=""),
        save("two%20words", text="y", parent_title="two words"),
        save("wiki", text="Hello\r\nWorld\n", parent_title="two words"),
        save("two%20words", text="y", parent_title="wiki"),
        pages(),
        save("early", text="e", version=7),
        save("early", text="e2"),
        page("early"),
        save("%C3%BCber%20Alles", text="u"),
        page("%C3%9Cber_Alles"),
        save("a.b", text="u"),
        save("a%3Ab", text="u"),
        save("L" * 256, text="u"),
        save("New", text=""),
        save("New", text="a", parent_title="Nope"),
        save("New", text="a", comments="c" * 1025),
        save("First", text="t", is_start_page="1"),
        get(f"{ALPHA}.json"),
        pages(),
    ],
    "wiki: who may": [
        *EMPTIED,
        save("Wiki", "bob", text="bob's"),
        save("Under", "bob", text="bob's", parent_title="Wiki"),
        save("Under", "bob", text="bob's 2", parent_title=""),
        save("Under", "bob", text="bob's 3", title="Other"),
        page("Under", "bob"),
        save("First", "bob", text="t", is_start_page="1"),
        get(f"{ALPHA}.json", "bob"),
        save("Wiki", "carol", text="x"),
        save("Wiki", None, text="x"),
        page("Wiki", "carol"),
        page("Wiki", None),
        page("Wiki/1", None),
        save("Sidebar", "bob", text="side"),
        save("Sidebar", text="side"),
        save("Sidebar", "bob", text="side 2"),
        delete(f"{ALPHA}/Sidebar.json", login="bob"),
        page("Sidebar", "bob"),
        delete(f"{ALPHA}/Wiki.json", login="carol"),
        delete(f"{ALPHA}/Wiki.json", login="bob"),
        page("Under", "bob"),
        pages("carol"),
        pages(None),
        pages("carol", "/projects/gamma/wiki"),
        pages(None, "/projects/gamma/wiki"),
        pages(at="/projects/nope/wiki"),
    ],
    "wiki: renamed": [
        *EMPTIED,
        save("Old", text="x"),
        save("Below", text="b", parent_title="Old"),
        save("Taken", text="t"),
        save("Old", text="x", title="Taken"),
        save("Old", text="x", title=""),
        save("Old", text="x", title="new name"),
        page("Old"),
        page("New_name"),
        save("Old", text="through the former title"),
        page("New_name"),
        delete(f"{ALPHA}/Old.json"),
        pages(),
        save("New_name", text="x", title="Old"),
        page("Old"),
        page("New_name"),
        delete(f"{ALPHA}/Old.json"),
        page("Old"),
        page("New_name"),
    ],
    "wiki: delete": [
        *EMPTIED,
        save("A", text="a"),
        save("B", text="b", parent_title="A"),
        save("C", text="c", parent_title="B"),
        save("D", text="d", parent_title="C"),
        delete(f"{ALPHA}/A.json"),
        pages(),
        delete(f"{ALPHA}/B.json?todo=destroy"),
        pages(),
        delete(f"{ALPHA}/B.json"),
        save("E", text="e"),
        save("F", text="f", parent_title="E"),
        delete(f"{ALPHA}/E.json?todo=nullify"),
        pages(),
    ],
    "wiki: files": [
        *EMPTIED,
        upload("notes.txt", b"notes"),
        save("Wiki", text="x", uploads=[{"token": "$token", "filename": "notes.txt"}]),
        page("Wiki"),
        upload("more.txt", b"more", "bob"),
        save("Wiki", "bob", text="x", uploads=[{"token": "$token", "description": "d"}]),
        save("Wiki", text="x", uploads=[{"token": "nothing"}]),
        page("Wiki", "carol"),
        page("Wiki/1"),
        get("/attachments/8.json", "carol"),
    ],
    "wiki: search": [
        *EMPTIED,
        save("Wiki", text="Hello\r\nWorld\n"),
        save("Zebra%20crossing", text="stripes"),
        save("Wiki", at="/projects/gamma/wiki", text="zebra in secret"),
        get("/projects/alpha/search.json?q=hello&wiki_pages=1"),
        get("/projects/alpha/search.json?q=world&wiki_pages=1&titles_only=1"),
        get("/projects/alpha/search.json?q=zebra+stripes&wiki_pages=1"),
        get("/projects/alpha/search.json?q=zebra&wiki_pages=1&titles_only=1", "carol"),
        get("/projects/alpha/search.json?q=zebra"),
        get("/projects/gamma/search.json?q=zebra&wiki_pages=1", "carol"),
        get("/search.json?q=zebra&wiki_pages=1", "carol"),
    ],
    "wiki: of the seed": [
        save("Sign-in", "bob", text="shorter", version=1),
        save("Sign-in", "bob", text="shorter", version=2, comments="c"),
        page("Sign-in", "carol"),
        page("Sign-in/2", "carol"),
        delete(f"{ALPHA}/Wiki.json"),
        page("Backups", None),
        pages(),
        save("After", text="the next id"),
        get("/projects/alpha/search.json?q=next&wiki_pages=1"),
    ],
}
