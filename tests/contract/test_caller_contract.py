"""Who Redmine's REST API takes a caller for, and what scopes leave of them."""

from __future__ import annotations

import pytest

from .answers import BASIC, READ_SCOPES, assert_empty, ids, locked
from .target import API_KEYS, Target


class TestWhoCalls:
    def test_unknown_token_is_anonymous(self, redmine: Target) -> None:
        """A token that Redmine does not know is NOT refused: the caller is nobody in particular."""
        public = redmine.get("/issues/1.json", "unknown")

        assert public.status_code == 200
        assert_empty(redmine.get("/my/account.json", "unknown"), 401, BASIC)
        assert_empty(redmine.get("/issues/43.json", "unknown"), 401, BASIC)

    def test_unknown_api_key_is_anonymous(self, redmine: Target) -> None:
        """The same goes for an API key."""
        headers = {"X-Redmine-API-Key": "0" * 40}

        assert redmine.http.get("/issues/1.json", headers=headers).status_code == 200
        assert_empty(redmine.http.get("/my/account.json", headers=headers), 401, BASIC)

    def test_token_in_two_places_is_none(self, redmine: Target) -> None:
        """A token in header and query at once is ignored; in the query alone it counts."""
        token = redmine.sign_in("bob", READ_SCOPES)["access_token"]
        twice = redmine.get("/my/account.json", token, access_token=token)
        in_query = redmine.get("/my/account.json", access_token=token)

        assert_empty(twice, 401, BASIC)
        assert in_query.status_code == 200

    def test_api_key_wins_over_token(self, redmine: Target) -> None:
        """With both, the API key says who calls."""
        token = redmine.sign_in("bob", READ_SCOPES)["access_token"]
        headers = {"Authorization": f"Bearer {token}", "X-Redmine-API-Key": API_KEYS["carol"]}
        reply = redmine.http.get("/my/account.json", headers=headers)

        assert reply.json()["user"]["login"] == "carol"

    def test_live_token_of_a_locked_user_is_a_server_error(self, redmine: Target) -> None:
        """Redmine 6.1 answers 500, while token/info still calls the token good."""
        token = redmine.sign_in("dave", READ_SCOPES)["access_token"]
        with locked(redmine, "dave"):
            reply = redmine.get("/my/account.json", token)
            info = redmine.get("/oauth/token/info", token)
            by_key = redmine.as_user("dave", "/my/account.json")
            sign_in = redmine.browser().sign_in("dave")
        unlocked = redmine.get("/my/account.json", token)

        error = {"status": 500, "error": "Internal Server Error"}
        assert (500, error) == (reply.status_code, reply.json())
        assert info.status_code == 200
        assert_empty(by_key, 401, BASIC)
        assert (302, f"{redmine.base_url}/login") == (
            sign_in.status_code,
            sign_in.headers["Location"],
        )
        assert unlocked.status_code == 200

    def test_account_shows_no_api_key_to_oauth(self, redmine: Target) -> None:
        """A token reads the account without its API key; the key itself reads it."""
        by_token = redmine.with_scopes("alice", READ_SCOPES, "/my/account.json").json()["user"]
        by_key = redmine.as_user("alice", "/my/account.json").json()["user"]
        del by_token["last_login_on"], by_key["last_login_on"]

        assert by_token == {
            "id": 5,
            "login": "alice",
            "admin": False,
            "firstname": "Alice",
            "lastname": "Ace",
            "mail": "alice@example.net",
            "created_on": "2026-01-01T08:00:00Z",
        }
        assert {**by_token, "api_key": API_KEYS["alice"]} == by_key

    def test_current_user(self, redmine: Target) -> None:
        """/users/current hides mail and key from a token, and shows memberships."""
        path = "/users/current.json"
        user = redmine.with_scopes("bob", READ_SCOPES, path, include="memberships").json()["user"]
        del user["last_login_on"]

        reporter = {"id": 5, "name": "Reporter", "inherited": True}
        developer = {"id": 4, "name": "Developer"}
        assert {
            "id": 6,
            "login": "bob",
            "admin": False,
            "firstname": "Bob",
            "lastname": "Builder",
            "created_on": "2026-01-01T08:00:00Z",
            "updated_on": "2026-01-01T08:00:00Z",
            "passwd_changed_on": "2026-01-01T08:00:00Z",
            "twofa_scheme": None,
            "memberships": [
                {"id": 2, "project": {"id": 1, "name": "Alpha"}, "roles": [developer]},
                {"id": 6, "project": {"id": 2, "name": "Beta"}, "roles": [reporter]},
                {"id": 9, "project": {"id": 3, "name": "Gamma (private)"}, "roles": [developer]},
            ],
        } == user

    def test_admin_needs_the_scope(self, redmine: Target) -> None:
        """An administrator's token without the scope ``admin`` is an ordinary user's."""
        account = redmine.with_scopes("admin", READ_SCOPES, "/my/account.json").json()["user"]

        assert account["admin"] is False
        assert_empty(redmine.with_scopes("admin", READ_SCOPES, "/issues/43.json"), 403)
        assert redmine.as_user("admin", "/issues/43.json").status_code == 200


class TestScopes:
    @pytest.mark.parametrize(
        ("scope", "path", "status"),
        [
            ("view_issues", "/issues/1.json", 200),
            ("view_issues", "/issues.json", 200),
            ("view_issues", "/projects/alpha.json", 403),
            ("view_issues", "/search.json?q=login", 403),
            ("view_project", "/projects/alpha.json", 200),
            ("view_project", "/issues.json", 403),
            ("view_project", "/issues/1.json", 403),
            ("view_project", "/projects.json", 200),
            ("view_project", "/trackers.json", 200),
            ("view_project", "/my/account.json", 200),
            ("search_project", "/search.json?q=login", 200),
        ],
    )
    def test_limit_a_token(self, redmine: Target, scope: str, path: str, status: int) -> None:
        """A call needs the role's permission and the token's scope; a refusal names neither."""
        path, _, question = path.partition("?q=")
        params = {"q": question} if question else {}
        reply = redmine.with_scopes("bob", scope, path, **params)

        assert status == reply.status_code
        if status == 403:
            assert_empty(reply, 403)

    def test_are_no_fence_for_search(self, redmine: Target) -> None:
        """A search finds issues, private project and all, that the token cannot open."""
        page = redmine.with_scopes("bob", "search_project", "/search.json", q="passkeys").json()

        assert ids(page["results"]) == [43]
        assert_empty(redmine.with_scopes("bob", "search_project", "/issues/43.json"), 403)

    def test_leave_out_parts_of_an_issue(self, redmine: Target) -> None:
        """Without their scopes private notes, watchers and hours are missing, without a word."""
        path, include = "/issues/1.json", "journals,watchers"
        part = redmine.with_scopes("alice", "view_issues", path, include=include).json()["issue"]
        whole = redmine.with_scopes("alice", READ_SCOPES, path, include=include).json()["issue"]

        assert {"watchers", "spent_hours", "total_spent_hours"} == set(whole) - set(part)
        assert {9, 11} == set(ids(whole["journals"])) - set(ids(part["journals"]))
