"""Lists of Redmine's REST API: issues, search, projects, reference data."""

from __future__ import annotations

import pytest

from .answers import BASIC, assert_empty, ids
from .target import Target


class TestIssueList:
    def test_is_paged(self, redmine: Target) -> None:
        """25 open issues at a time, the newest first, with the total of those one may see."""
        first = redmine.as_user("alice", "/issues.json").json()
        second = redmine.as_user("alice", "/issues.json", offset=25).json()

        assert (first["total_count"], first["offset"], first["limit"]) == (41, 0, 25)
        assert ids(first["issues"])[:3] == [47, 46, 45]
        assert (len(first["issues"]), len(second["issues"])) == (25, 16)
        assert not set(ids(first["issues"])) & set(ids(second["issues"]))

    @pytest.mark.parametrize(
        ("asked", "offset", "limit"),
        [
            ({"limit": 0}, 0, 25),
            ({"limit": 101}, 0, 100),
            ({"limit": 10, "page": 3}, 20, 10),
            ({"limit": 10, "offset": -5}, 0, 10),
        ],
    )
    def test_window(self, redmine: Target, asked: dict[str, int], offset: int, limit: int) -> None:
        """A page has 1 to 100 records; nonsense is put right silently."""
        page = redmine.as_user("carol", "/issues.json", **asked).json()

        assert (offset, limit) == (page["offset"], page["limit"])

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"subject": "~login"}, [47, 43, 36, 30, 5, 4, 3, 2, 1]),
            ({"subject": "~login page", "sort": "id"}, [1, 2, 3]),
            ({"status_id": "5"}, [39, 32, 25, 10]),
            ({"status_id": "closed"}, [48, 39, 32, 25, 20, 10]),
            ({"status_id": "99"}, []),
            ({"issue_id": "10,1", "status_id": "*"}, [10, 1]),
            ({"assigned_to_id": "me", "tracker_id": "2"}, [45, 21, 1]),
            ({"priority_id": "5", "project_id": "alpha"}, [35, 7]),
            ({"project_id": "gamma", "sort": "priority:desc,id"}, [45, 43, 47, 44, 46]),
            ({"project_id": "beta", "sort": "priority:desc,id"}, [35, 40, 38, 36, 37, 41]),
            ({"unknown": "1", "issue_id": "3"}, [3]),
        ],
    )
    def test_filters_and_order(
        self, redmine: Target, asked: dict[str, str], found: list[int]
    ) -> None:
        """Filters narrow the list; an unknown status finds nothing, unknown filters are ignored."""
        page = redmine.as_user("alice", "/issues.json", **asked).json()

        assert found == ids(page["issues"])

    def test_project_includes_its_subprojects(self, redmine: Target) -> None:
        """A project's list holds its subprojects' issues, unless they are excluded."""
        with_beta = redmine.as_user("carol", "/issues.json", project_id="alpha").json()
        alone = {"project_id": "alpha", "subproject_id": "!*"}
        without = redmine.as_user("carol", "/issues.json", **alone).json()

        assert (with_beta["total_count"], without["total_count"]) == (34, 28)

    def test_malformed_filter_is_refused(self, redmine: Target) -> None:
        """A malformed value is an error with a sentence, not an empty list."""
        reply = redmine.as_user("carol", "/issues.json", created_on="bad", status_id="")

        errors = {"errors": ["Status cannot be blank", "Created is invalid"]}
        assert (422, errors) == (reply.status_code, reply.json())

    def test_unknown_and_private_projects(self, redmine: Target) -> None:
        """A private project is 403, an unknown one 404; somebody unknown is asked to sign in."""
        for project in ("gamma", "3"):
            assert_empty(redmine.as_user("carol", "/issues.json", project_id=project), 403)
        assert_empty(redmine.as_user("carol", "/issues.json", project_id="nope"), 404)
        for project in ("gamma", "nope"):
            assert_empty(redmine.get("/issues.json", project_id=project), 401, BASIC)


class TestSearch:
    def test_finds_what_the_user_may_see(self, redmine: Target) -> None:
        """A search covers subjects, descriptions and notes, of visible issues alone."""
        found = {
            login: redmine.as_user(login, "/search.json", q="login").json()
            for login in ("alice", "carol")
        }

        assert ids(found["alice"]["results"]) == [47, 43, 36, 30, 21, 12, 5, 4, 3, 2, 1]
        assert ids(found["carol"]["results"]) == [36, 30, 21, 12, 4, 3, 2, 1]
        assert tuple(found["carol"][key] for key in ("total_count", "offset", "limit")) == (
            8,
            0,
            25,
        )
        assert {
            "id": 36,
            "title": "Feature #36 (New): Login by fingerprint",
            "type": "issue",
            "url": f"{redmine.base_url}/issues/36",
            "description": "Where the phone can.",
            "datetime": "2026-02-09T09:36:00Z",
        } == found["carol"]["results"][0]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"q": "login page"}, [3, 2, 1]),
            ({"q": "login fingerprint", "all_words": ""}, [36, 30, 21, 12, 4, 3, 2, 1]),
            ({"q": "login", "titles_only": "1"}, [36, 30, 4, 3, 2, 1]),
            ({"q": "Sunday"}, [32]),
            ({"q": "Sunday", "open_issues": "1"}, []),
            ({"q": "vendor"}, []),
            ({"q": "timings", "attachments": "1"}, [1]),
            ({"q": "portal", "issues": "1"}, [21]),
            ({"q": "portal", "projects": "1"}, [2, 1]),
            ({"q": "login", "limit": "2", "offset": "3"}, [12, 4]),
        ],
    )
    def test_options(self, redmine: Target, asked: dict[str, str], found: list[int]) -> None:
        """The options narrow or widen a search, as carol sees it."""
        page = redmine.as_user("carol", "/search.json", **asked).json()

        assert found == ids(page["results"])

    def test_closed_issue_is_marked(self, redmine: Target) -> None:
        """The type says whether an issue is closed; there is no other sign."""
        results = redmine.as_user("carol", "/search.json", q="Wellcome").json()["results"]

        assert [(result["type"], result["title"]) for result in results] == [
            ("issue-closed", "Bug #10 (Closed): Typo on the start page")
        ]

    def test_nothing_to_look_for(self, redmine: Target) -> None:
        """Without a word of two letters there is no result, and no count."""
        for question in ("", "x"):
            page = redmine.as_user("carol", "/search.json", q=question).json()

            assert page == {"results": [], "total_count": None, "offset": 0, "limit": 25}

    def test_inside_a_project(self, redmine: Target) -> None:
        """A project's search stays inside it; a private project refuses outsiders."""
        path = "/projects/{}/search.json"

        beta = redmine.as_user("carol", path.format("beta"), q="login").json()
        assert ids(beta["results"]) == [36]
        assert_empty(redmine.as_user("carol", path.format("gamma"), q="login"), 403)
        assert_empty(redmine.get(path.format("gamma"), q="login"), 401, BASIC)
        assert_empty(redmine.as_user("carol", path.format("nope"), q="login"), 404)


class TestProjects:
    def test_list_holds_what_the_user_may_see(self, redmine: Target) -> None:
        """A private project is listed for its members only."""
        page = redmine.as_user("alice", "/projects.json").json()

        assert ids(page["projects"]) == [1, 2, 3]
        assert page["projects"][1] == {
            "id": 2,
            "name": "Beta",
            "identifier": "beta",
            "description": "The mobile app of the customer portal.",
            "homepage": "http://beta.example.net",
            "parent": {"id": 1, "name": "Alpha"},
            "status": 1,
            "is_public": True,
            "inherit_members": False,
            "created_on": "2026-01-01T08:02:00Z",
            "updated_on": "2026-01-01T08:02:00Z",
        }
        assert (page["total_count"], page["offset"], page["limit"]) == (3, 0, 25)
        assert ids(redmine.as_user("carol", "/projects.json").json()["projects"]) == [1, 2]

    def test_by_id_or_identifier(self, redmine: Target) -> None:
        """Both names lead to one project, with what was asked to be included."""
        include = "trackers,issue_categories,time_entry_activities,enabled_modules"
        by_id = redmine.as_user("carol", "/projects/1.json", include=include).json()
        by_name = redmine.as_user("carol", "/projects/alpha.json", include=include).json()
        project = by_name["project"]

        assert by_id == by_name
        assert ids(project["trackers"]) == [1, 2, 3]
        assert [one["name"] for one in project["issue_categories"]] == ["API", "Docs", "UI"]
        assert ids(project["time_entry_activities"]) == [8, 9]
        assert project["enabled_modules"][0] == {"id": 1, "name": "issue_tracking"}

    def test_refusals(self, redmine: Target) -> None:
        """Private: 403, or 401 for somebody unknown; not there: 404."""
        assert_empty(redmine.as_user("carol", "/projects/gamma.json"), 403)
        assert_empty(redmine.get("/projects/gamma.json"), 401, BASIC)
        assert_empty(redmine.as_user("carol", "/projects/nope.json"), 404)


class TestReferenceData:
    def test_lists(self, redmine: Target) -> None:
        """Trackers, statuses and enumerations are open to everybody."""
        statuses = redmine.get("/issue_statuses.json").json()["issue_statuses"]
        trackers = redmine.get("/trackers.json").json()["trackers"]
        priorities = redmine.get("/enumerations/issue_priorities.json").json()
        activities = redmine.get("/enumerations/time_entry_activities.json").json()

        assert [(one["id"], one["name"]) for one in statuses if one["is_closed"]] == [
            (5, "Closed"),
            (6, "Rejected"),
        ]
        assert [one["name"] for one in trackers] == ["Bug", "Feature", "Support"]
        assert priorities["issue_priorities"][1] == {
            "id": 2,
            "name": "Normal",
            "is_default": True,
            "active": True,
        }
        assert [one["name"] for one in activities["time_entry_activities"]] == [
            "Design",
            "Development",
        ]
