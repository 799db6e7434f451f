"""What can go wrong with Redmine, as one tree.

    RedmineError
    ├── Unreachable            no connection; nothing was sent
    ├── TimedOut               no answer within the deadline
    ├── Unauthorized           401: the credential has expired, was revoked or is unknown
    ├── AccountLocked          500 to everything that is asked as this user
    ├── Forbidden              403
    │   ├── MissingScope       the sign-in was not granted the permission
    │   └── MissingPermission  the user's role does not hold it
    ├── NotFound               404
    ├── Conflict               409, or a stale lock version
    ├── Invalid                422 or 400, field by field
    ├── BadArgument            Redmine was not asked, since it could not have answered well
    ├── Busy                   not asked: too many of this caller's requests wait already
    ├── RateLimited            429, from a proxy before Redmine: it has no limits of its own
    ├── ServerError            any other 5xx
    └── Unreadable             an answer that is not what Redmine says

``str(error)`` is a sentence for the person. No error carries a token or a request header. What
Redmine's users wrote, such as the names that would have done, is kept apart from our own words, so
that whoever hands the sentence to a model can say which is which.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar


class RedmineError(Exception):
    """Redmine did not do what was asked.

    The arguments are a sentence in parts: our own words and what came out of Redmine take turns,
    as in ``BadArgument("There are: ", "New, Closed", ".")``; by themselves they are ``sentence``.
    """

    code: ClassVar[str] = "redmine_error"
    """Stable, for programs."""
    retryable: ClassVar[bool] = False
    """Whether the same request may succeed a little later."""
    retry_after: float | None = None
    """Seconds to wait before that, where they are known."""
    sentence: ClassVar[str] = "Redmine did not do what was asked."

    def __init__(self, *parts: str) -> None:
        super().__init__(*(parts or (self.sentence,)))

    def __str__(self) -> str:
        return "".join(map(str, self.args))

    def spoken(self, quote: Callable[[str], str]) -> str:
        """The sentence, with every part that came out of Redmine as ``quote`` returns it."""
        return "".join(
            quote(part) if place % 2 and part else part for place, part in enumerate(self.args)
        )


class Unreachable(RedmineError):
    """``retry_after``: until Redmine is asked again; None where it was asked just now."""

    code = "unreachable"
    retryable = True

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        again = f"{retry_after:.0f} seconds" if retry_after else "a minute"
        super().__init__(f"Redmine cannot be reached just now. Try again in {again}.")


class TimedOut(RedmineError):
    code = "timed_out"
    retryable = True

    def __init__(self, *, sent: bool = False) -> None:
        super().__init__(
            "Redmine did not answer in time. It may still have done what was asked: look before "
            "trying again."
            if sent
            else "Redmine did not answer in time. Try again in a minute."
        )


class Unauthorized(RedmineError):
    code = "unauthorized"
    sentence = (
        "Redmine no longer accepts this sign-in: it has expired or was revoked. "
        "Sign in again from your client."
    )


class AccountLocked(RedmineError):
    code = "account_locked"
    sentence = (
        "Redmine refuses everything that is asked as you, which is what it does for a locked "
        "account. Ask your Redmine administrator."
    )


class Forbidden(RedmineError):
    code = "forbidden"
    sentence = "Redmine does not allow you to do this."


class MissingScope(Forbidden):
    code = "missing_scope"

    def __init__(self, scopes: Sequence[str]) -> None:
        self.scopes = tuple(scopes)
        super().__init__(
            f"This sign-in was not granted {', '.join(self.scopes)}. "
            "Connect again and allow it, or ask the operator of this server."
        )


class MissingPermission(Forbidden):
    code = "missing_permission"


class NotFound(RedmineError):
    code = "not_found"

    def __init__(self, what: str = "That") -> None:
        super().__init__(f"{what} does not exist, or you may not see it.")


class Conflict(RedmineError):
    code = "conflict"
    sentence = "Somebody else has changed this in the meantime. Read it again first."


class Invalid(RedmineError):
    code = "invalid"
    sentence = "Redmine refused the values without saying why."

    def __init__(self, messages: Sequence[str]) -> None:
        self.messages = tuple(messages)
        said = ("Redmine refused the values: ", "; ".join(self.messages), ".")
        super().__init__(*(said if self.messages else ()))


class BadArgument(RedmineError):
    code = "bad_argument"


class Busy(RedmineError):
    code = "busy"
    retryable = True
    retry_after: float

    def __init__(self, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(
            "Too many of your requests are waiting for Redmine already, so this one was not made. "
            f"Try again in {retry_after:.0f} seconds."
        )


class RateLimited(RedmineError):
    code = "rate_limited"
    retryable = True

    def __init__(self, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__("Redmine is asked too often just now. Try again in a minute.")


class ServerError(RedmineError):
    code = "server_error"
    retryable = True

    def __init__(self, status: int, retry_after: float | None = None) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(f"Redmine failed (HTTP {status}). Try again in a minute.")


class Unreadable(RedmineError):
    code = "unreadable"
    sentence = (
        "What answers at REDMINE_URL is not a Redmine's REST API: check the address, and that "
        "the REST API is enabled (Administration > Settings > API)."
    )
