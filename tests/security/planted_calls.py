"""Calls that show what was planted in a Redmine: those that read, those that write, and prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.security.planting import CANARY, Planted, planted


def reading(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that show what was planted."""
    issue, project = place.issues[trick], place.projects[trick]
    one = {"issue_id": issue["id"]}
    for focus in ("overview", "discussion", "history", "relations", "everything"):
        yield "get_issue_details", {**one, "focus": focus}
    yield "get_issue_details", {**one, "focus": "everything", "full_text": True}
    yield "get_attachment", {**one, "attachment_id": issue["attachments"][0]["id"]}
    yield "list_issues", {"project": project}
    yield "list_issues", {"project": project, "sort": "due"}
    for by in ("version", "category", "assignee", "project", "Customer"):
        yield "list_issues", {"project": project, "group_by": by}
    yield "list_wiki_pages", {"project": project}
    yield "search_wiki", {"project": project, "query": CANARY}
    yield "get_wiki_page", {"project": project, "title": place.pages[trick]}
    for more in ({"start": 100}, {"version": 1}, {"version": 9}, {"section": "nothing"}):
        yield "get_wiki_page", {"project": project, "title": place.pages[trick], **more}
    yield "get_wiki_page", {"project": project}
    yield "get_wiki_page", {"project": project, "title": planted(trick, 90)}
    yield "list_time_entries", {"project": project}
    yield "list_time_entries", {"entry": place.times[trick]}
    for by in ("user, issue", "project, version", "category, assignee"):
        yield "list_time_entries", {"project": project, "group_by": by}
    for asked in ({"user": CANARY[:5]}, {"version": CANARY[:5]}, {"fields": {CANARY[:5]: "x"}}):
        yield "list_time_entries", {"project": project, **asked}
    yield "get_project", {"project": project}
    yield "project_summary", {"project": project}
    for tool in ("list_versions", "list_categories", "list_members", "list_queries"):
        yield tool, {"project": project}


def writing(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Calls that change something or ask before, and tell of it; what is not there is an error."""
    issue, project = place.issues[trick], place.projects[trick]
    one, here = {"issue_id": issue["id"]}, {"project": project}
    (comment, *_) = [journal["id"] for journal in issue["journals"] if journal["notes"]]
    file = issue["attachments"][0]["id"]
    version, category = str(place.versions[trick]), str(place.categories[trick])
    for name in ("version", "category", "assignee", "tracker"):
        yield "update_issue", {**one, name: "nothing of that name"}
        yield "update_issue", {**one, name: CANARY[:5]}
    yield "update_issue", {**one, "done_ratio": 10, "priority": "High", "dry_run": True}
    yield "update_issue", {**one, "fields": {"Customer": "x"}, "notes": "y"}
    yield "update_issue", {**one, "subject": planted(trick, 200), "watchers": ["me"]}
    yield "update_issue", {**one, "version": "", "category": ""}
    yield "update_issue", {**one, "fields": {"Severity": "no such severity"}}
    yield "update_issue", {**one, "fields": {"Nothing": "x"}}
    yield "create_issue", {**here, "subject": "x", "category": category, "watchers": ["me"]}
    yield "create_issue", {**here, "subject": "x", "version": version, "dry_run": True}
    yield "bulk_update_issues", {"issue_ids": [one["issue_id"]], "change": {"version": version}}
    yield "bulk_update_issues", {"issue_ids": [one["issue_id"]], "change": {"category": "no"}}
    yield "copy_issue", one
    yield "copy_issue", {**one, "project": "alpha"}
    yield "edit_comment", {**one, "comment_id": comment, "text": f"{planted(trick)} x"}
    yield "delete_comment", {**one, "comment_id": comment}
    yield "add_attachment", {**one, "filename": planted(trick, 200), "text": planted(trick)}
    named = {"path": "notes.txt", "filename": planted(trick, 200)}
    yield "attach_local_file", {**one, **named}
    for path in ("", "", f"{planted(trick, 90)}/x", f"/{planted(trick, 90)}"):
        yield "save_attachment", {**one, "attachment_id": file, "path": path}
    yield "delete_attachment", {**one, "attachment_id": file}
    page = {**here, "title": place.pages[trick]}
    edit = {"replace": [{"find": "word word", "with": "x"}]}
    yield "save_wiki_page", {**page, **edit}
    yield "save_wiki_page", {**page, "text": planted(trick), "expected_version": 7}
    yield "save_wiki_page", {**page, "text": planted(trick), "section": "1", "dry_run": True}
    yield "save_wiki_page", {**page, "parent": planted(trick, 90)}
    yield "save_wiki_page", {**page, "section": "nothing", "text": "x"}
    yield "save_wiki_page", {**page, "section": "1", "text": "x", "comment": planted(trick, 900)}
    yield "save_wiki_page", {**here, "title": f"New {planted(trick, 90)}", "text": planted(trick)}
    yield "delete_wiki_page", page
    yield "delete_wiki_page", {**here, "title": planted(trick, 90)}
    entry = {"entry_id": place.times[trick]}
    spent = {"hours": 1, "activity": "Design", "comments": planted(trick, 900)}
    yield "log_time", {**spent, "issue": one["issue_id"]}
    yield "log_time", {**here, **spent}
    yield "log_time", {**here, **spent, "user": CANARY[:5]}
    yield "log_time", {**here, "hours": 1}
    yield "log_time", {"issue": one["issue_id"], "hours": 1, "dry_run": True}
    yield "log_time", {"project": CANARY[:5], **spent}
    yield "update_time_entry", {**entry, "comments": planted(trick, 900), "hours": 3}
    yield "update_time_entry", {**entry, "project": "alpha"}
    yield "update_time_entry", {**entry, "user": CANARY[:5]}
    yield "delete_time_entry", entry
    yield "delete_issue", {**one, "hours": "destroy"}
    yield "create_version", {**here, "name": planted(trick, 55)}
    yield "update_version", {**here, "version": version, "name": "plain"}
    yield "update_version", {**here, "version": "nothing", "name": "plain"}
    yield "delete_version", {**here, "version": version}
    yield "create_category", {**here, "name": planted(trick, 55)}
    yield "update_category", {**here, "category": category, "name": "plain", "assignee": "me"}
    yield "delete_category", {**here, "category": category}
    yield "add_member", {**here, "user": "6", "roles": ["Developer"]}
    yield "add_member", {**here, "user": CANARY[:5], "roles": ["Developer"]}
    yield "update_member", {**here, "user": "7", "roles": ["Developer"]}
    yield "remove_member", {**here, "user": "7"}
    yield "update_project", {**here, "homepage": "http://example.net"}
    yield "close_project", here
    yield "reopen_project", here
    yield "delete_project", here
    yield "list_issues", {"project": "nothing of that name"}
    yield "search_issues", {"query": "login", "project": CANARY[:5]}


def prompting(place: Planted, trick: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Prompts, with a slash before their names."""
    issue, project = str(place.issues[trick]["id"]), {"project": place.projects[trick]}
    notes = {"project_id": place.projects[trick], "rough_notes": planted(trick, 9000)}
    yield "/summarize_ticket", {"issue_id": issue}
    yield "/draft_bug_report", notes
    yield "/triage", project
    yield "/release_notes", {**project, "version": str(place.versions[trick])}
    yield "/release_notes", {**project, "version": "nothing"}
    yield "/weekly_report", project
    yield "/handover", {**project, "assignee": "7"}
    yield "/handover", {**project, "assignee": CANARY[:5]}
