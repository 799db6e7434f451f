"""Writing projects and what belongs to them: members, versions, categories, logged time."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from .answers import BASIC, assert_empty, ids
from .target import Target
from .writes import assert_done, assert_invalid, change, create


def send(
    redmine: Target, method: str, path: str, body: Any = None, login: str = "alice"
) -> httpx.Response:
    return redmine.send(login, method, path, body)


def log(redmine: Target, login: str = "alice", **fields: Any) -> httpx.Response:
    return redmine.send(login, "POST", "/time_entries.json", {"time_entry": fields})


def wait_until_gone(redmine: Target, path: str) -> None:
    """Ask until a record is not found; Redmine deletes projects in the background."""
    deadline = time.monotonic() + 20
    while send(redmine, "GET", path, login="admin").status_code != 404:
        assert time.monotonic() < deadline


class TestTimeEntries:
    def test_log(self, fresh_redmine: Target) -> None:
        """Hours may be written as people write them; the project is the issue's."""
        reply = log(fresh_redmine, issue_id=1, hours="1h30", activity_id=8, spent_on="2026-03-01")
        entry = reply.json()["time_entry"]

        assert reply.status_code == 201
        assert reply.headers["Location"] == f"{fresh_redmine.base_url}/time_entries/{entry['id']}"
        assert (entry["hours"], entry["project"]["id"], entry["issue"]) == (1.5, 1, {"id": 1})
        assert entry["user"] == {"id": 5, "name": "Alice Ace"}

    def test_complaints(self, fresh_redmine: Target) -> None:
        """A project goes by its number only; the activity has no default."""
        assert_invalid(
            log(fresh_redmine, project_id="alpha", hours=1, activity_id=8), "Project is invalid"
        )
        assert_invalid(log(fresh_redmine, project_id=1, hours=1), "Activity cannot be blank")
        assert_invalid(
            log(fresh_redmine),
            "Activity cannot be blank",
            "Project cannot be blank",
            "Hours cannot be blank",
            "Project is invalid",
        )

    def test_for_others(self, fresh_redmine: Target) -> None:
        """A manager logs time for members, nobody else for anybody else."""
        fields: dict[str, Any] = {"project_id": 1, "hours": 1, "activity_id": 8}

        assert log(fresh_redmine, **fields, user_id=6).status_code == 201
        assert_invalid(log(fresh_redmine, **fields, user_id=8), "User is invalid")
        assert_invalid(log(fresh_redmine, "bob", **fields, user_id=5), "User is invalid")
        assert_empty(log(fresh_redmine, "dave", **fields), 403)

    def test_scopes(self, fresh_redmine: Target) -> None:
        """Time on an issue takes view_issues too, a change view_time_entries; edit_own_ is enough
        for one's own entries whatever the role holds."""
        issue = {"time_entry": {"issue_id": 12, "hours": 1, "activity_id": 8}}
        project: dict[str, Any] = {"time_entry": {"project_id": 1, "hours": 1, "activity_id": 8}}
        other = {"time_entry": {**project["time_entry"], "user_id": 6}}
        change = {"time_entry": {"hours": 2}}

        def status(scopes: str, method: str, path: str, body: Any = None) -> int:
            return fresh_redmine.send_with_scopes("alice", scopes, method, path, body).status_code

        log = ("POST", "/time_entries.json")
        assert status("log_time", *log, project) == 201
        assert status("log_time", *log, issue) == 422
        assert status("log_time view_issues", *log, issue) == 201
        assert status("view_issues view_time_entries", *log, issue) == 403
        assert status("log_time", *log, other) == 422
        assert status("log_time log_time_for_other_users", *log, other) == 201
        for scopes, own, others in (
            ("view_time_entries", 403, 403),
            ("edit_time_entries", 403, 403),
            ("view_time_entries edit_own_time_entries", 204, 403),
            ("view_time_entries edit_time_entries", 204, 204),
        ):
            assert status(scopes, "PUT", "/time_entries/1.json", change) == own, scopes
            assert status(scopes, "PUT", "/time_entries/2.json", change) == others, scopes
        assert status("edit_own_time_entries", "DELETE", "/time_entries/1.json") == 403
        mine = "view_time_entries edit_own_time_entries"
        assert status(mine, "DELETE", "/time_entries/1.json") == 204

    def test_change_and_delete(self, fresh_redmine: Target) -> None:
        """A manager changes entries; a developer does not even change his own."""
        path, body = "/time_entries/2.json", {"time_entry": {"hours": 2}}
        assert_empty(send(fresh_redmine, "PUT", path, body, "bob"), 403)
        assert_done(send(fresh_redmine, "PUT", path, body))
        changed = fresh_redmine.as_user("bob", path).json()["time_entry"]
        assert_done(send(fresh_redmine, "DELETE", path))

        assert changed["hours"] == 2.0
        assert_empty(fresh_redmine.as_user("bob", path), 404)

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"issue_id": "1"}, [2, 1]),
            ({"issue_id": "~1"}, [5, 4, 3, 2, 1]),
            ({"user_id": "me"}, [8, 7, 5, 1]),
            ({"project_id": "beta"}, [8]),
            ({"from": "2026-01-08", "to": "2026-01-21"}, [4, 3, 2]),
            ({"spent_on": ">=2026-01-26"}, [10, 9]),
            ({"spent_on": ">=yesterday", "user_id": "me"}, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ],
    )
    def test_filters(self, redmine: Target, asked: dict[str, str], found: list[int]) -> None:
        """Entries are filtered; one malformed filter makes Redmine forget them all."""
        page = redmine.as_user("alice", "/time_entries.json", **asked).json()

        assert found == ids(page["time_entries"])
        assert page["total_count"] == len(found)


class TestVersions:
    def test_life_of_a_version(self, fresh_redmine: Target) -> None:
        """Created, changed, and deleted while no issue has it."""
        wish = {"name": "3.0", "due_date": "2037-01-01", "sharing": "system"}
        path = "/projects/alpha/versions.json"
        reply = send(fresh_redmine, "POST", path, {"version": wish})
        version = reply.json()["version"]
        place = f"/versions/{version['id']}.json"

        assert (version["status"], version["due_date"]) == ("open", "2037-01-01")
        assert version["sharing"] == "none"  # only an administrator shares with everybody
        assert_done(send(fresh_redmine, "PUT", place, {"version": {"status": "locked"}}))
        assert_invalid(
            create(fresh_redmine, project_id=1, subject="x", fixed_version_id=version["id"]),
            "Target version is not included in the list",
        )
        assert_done(send(fresh_redmine, "DELETE", place))
        assert_empty(send(fresh_redmine, "DELETE", "/versions/2.json"), 422)
        assert_empty(send(fresh_redmine, "POST", path, {"version": wish}, "carol"), 403)

    def test_complaints(self, fresh_redmine: Target) -> None:
        """A version needs a name of its own, a real date and a known status."""
        wish = {"name": "1.0", "status": "x", "due_date": "x"}

        assert_invalid(
            send(fresh_redmine, "POST", "/projects/alpha/versions.json", {"version": wish}),
            "Name has already been taken",
            "Due date is not a valid date",
            "Status is not included in the list",
        )

    def test_list_has_shared_ones_and_no_pages(self, redmine: Target) -> None:
        """A project lists its own versions and those shared with it, all at once."""
        page = redmine.as_user("carol", "/projects/beta/versions.json").json()

        assert ids(page["versions"]) == [2, 4]
        assert set(page) == {"versions", "total_count"}


class TestCategories:
    def test_life_of_a_category(self, fresh_redmine: Target) -> None:
        """A deleted category hands its issues to another, or leaves them without."""
        path = "/projects/alpha/issue_categories.json"
        reply = send(fresh_redmine, "POST", path, {"issue_category": {"name": "New"}})
        taken = send(fresh_redmine, "POST", path, {"issue_category": {"name": "UI"}})
        assert_done(send(fresh_redmine, "DELETE", "/issue_categories/2.json?reassign_to_id=1"))
        assert_done(send(fresh_redmine, "DELETE", "/issue_categories/3.json"))
        issues = [
            fresh_redmine.as_user("alice", f"/issues/{one}.json").json()["issue"]
            for one in (12, 13)
        ]

        assert reply.status_code == 201
        assert reply.headers["Location"].endswith("/issue_categories/6")
        assert_invalid(taken, "Name has already been taken")
        assert issues[0]["category"]["name"] == "UI"
        assert "category" not in issues[1]


class TestMembers:
    def test_life_of_a_member(self, fresh_redmine: Target) -> None:
        """Made a member, given another role, sent away."""
        path, wish = "/projects/alpha/memberships.json", {"user_id": 8, "role_ids": [5]}
        reply = send(fresh_redmine, "POST", path, {"membership": wish})
        place = f"/memberships/{reply.json()['membership']['id']}.json"
        again = send(fresh_redmine, "POST", path, {"membership": wish})
        assert_done(send(fresh_redmine, "PUT", place, {"membership": {"role_ids": [4]}}))
        roles = send(fresh_redmine, "GET", place).json()["membership"]["roles"]
        may_log = log(fresh_redmine, "dave", project_id=1, hours=1, activity_id=8)
        assert_done(send(fresh_redmine, "DELETE", place))

        assert reply.json()["membership"]["user"] == {"id": 8, "name": "Dave Dunn"}
        assert_invalid(again, "User has already been taken")
        assert roles == [{"id": 4, "name": "Developer"}]
        assert may_log.status_code == 201
        assert_empty(send(fresh_redmine, "GET", place), 404)

    def test_group_brings_its_users(self, fresh_redmine: Target) -> None:
        """The users of a group inherit its roles; an inherited membership cannot be deleted."""
        path, wish = "/projects/gamma/memberships.json", {"user_id": 9, "role_ids": [5]}
        send(fresh_redmine, "POST", path, {"membership": wish})
        bob = send(fresh_redmine, "GET", "/memberships/9.json").json()["membership"]

        assert bob["roles"] == [
            {"id": 4, "name": "Developer"},
            {"id": 5, "name": "Reporter", "inherited": True},
        ]
        assert_empty(send(fresh_redmine, "DELETE", "/memberships/9.json"), 422)

    def test_last_role_takes_the_member_along(self, fresh_redmine: Target) -> None:
        """Redmine complains about a member without roles, and has deleted the member."""
        path = "/memberships/3.json"
        refused = send(fresh_redmine, "PUT", path, {"membership": {"role_ids": []}})

        assert_invalid(refused, "Role cannot be empty")
        assert_empty(send(fresh_redmine, "GET", path), 404)


class TestProjects:
    def test_create(self, fresh_redmine: Target) -> None:
        """Whoever creates a project manages it."""
        wish = {"name": "New", "identifier": "new-one", "tracker_ids": [1]}
        reply = send(fresh_redmine, "POST", "/projects.json", {"project": wish})
        made = reply.json()["project"]
        members = send(fresh_redmine, "GET", "/projects/new-one/memberships.json").json()

        assert reply.status_code == 201
        assert reply.headers["Location"] == f"{fresh_redmine.base_url}/projects/{made['id']}"
        assert (made["status"], made["is_public"]) == (1, True)
        assert members["memberships"][0]["roles"] == [{"id": 3, "name": "Manager"}]
        assert create(fresh_redmine, project_id="new-one", subject="x").status_code == 201

    def test_complaints(self, fresh_redmine: Target) -> None:
        """A name, and an identifier that nobody has, of small letters and not of digits alone."""
        for wish, errors in (
            ({}, ["Name cannot be blank", "Identifier cannot be blank"]),
            ({"name": "x", "identifier": "alpha"}, ["Identifier has already been taken"]),
            ({"name": "x", "identifier": "Bad Id!"}, ["Identifier is invalid"]),
            ({"name": "x", "identifier": "y", "parent_id": 2}, ["Subproject of is invalid"]),
        ):
            reply = send(fresh_redmine, "POST", "/projects.json", {"project": wish})
            assert_invalid(reply, *errors)
        body = {"project": {"name": "x", "identifier": "x"}}
        assert_empty(send(fresh_redmine, "POST", "/projects.json", body, "carol"), 403)
        assert_empty(fresh_redmine.send(None, "POST", "/projects.json", body), 401, BASIC)

    def test_update(self, fresh_redmine: Target) -> None:
        """The identifier never changes; a module that is switched off forbids what it is about."""
        wish = {"name": "A", "identifier": "other", "enabled_module_names": ["issue_tracking"]}
        path = "/projects/alpha.json"
        assert_done(send(fresh_redmine, "PUT", path, {"project": wish}))
        shown = send(fresh_redmine, "GET", path).json()["project"]

        assert (shown["name"], shown["identifier"]) == ("A", "alpha")
        assert_empty(send(fresh_redmine, "GET", "/projects/alpha/time_entries.json"), 403)
        assert_empty(send(fresh_redmine, "PUT", path, {"project": wish}, "bob"), 403)

    def test_close_and_reopen(self, fresh_redmine: Target) -> None:
        """A closed project is read, not written, and hidden from the list."""
        assert_done(send(fresh_redmine, "PUT", "/projects/gamma/close.json"))
        listed = send(fresh_redmine, "GET", "/projects.json").json()["projects"]

        assert ids(listed) == [1, 2]
        assert send(fresh_redmine, "GET", "/projects/gamma.json").json()["project"]["status"] == 5
        assert_empty(change(fresh_redmine, 43, notes="x"), 403)
        assert_done(send(fresh_redmine, "PUT", "/projects/gamma/reopen.json"))
        assert_done(change(fresh_redmine, 43, notes="x"))

    def test_archive(self, fresh_redmine: Target) -> None:
        """Only an administrator archives; then nobody sees anything of the project."""
        path = "/projects/gamma/archive.json"
        assert_empty(send(fresh_redmine, "PUT", path), 403)
        assert_done(send(fresh_redmine, "PUT", path, login="admin"))

        for login in ("alice", "admin"):
            assert_empty(fresh_redmine.as_user(login, "/projects/gamma.json"), 403)
            assert_empty(fresh_redmine.as_user(login, "/issues/43.json"), 403)
        assert_done(send(fresh_redmine, "PUT", "/projects/gamma/unarchive.json", login="admin"))
        assert fresh_redmine.as_user("alice", "/issues/43.json").status_code == 200

    def test_delete(self, fresh_redmine: Target) -> None:
        """A manager deletes a project without subprojects; Redmine does it a little later."""
        assert_empty(send(fresh_redmine, "DELETE", "/projects/alpha.json"), 403)
        assert_empty(send(fresh_redmine, "DELETE", "/projects/gamma.json", login="bob"), 403)
        assert_done(send(fresh_redmine, "DELETE", "/projects/gamma.json"))
        listed = send(fresh_redmine, "GET", "/projects.json").json()["projects"]
        wait_until_gone(fresh_redmine, "/projects/gamma.json")

        assert ids(listed) == [1, 2]
