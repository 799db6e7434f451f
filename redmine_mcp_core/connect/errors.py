"""What can keep the bridge from working, each as one sentence and the next step.

::

    ConnectError
    ├── SignInError         nobody is signed in, and it did not work out
    │   └── StaleClient     the authorization server no longer knows our registration
    └── Unavailable         it may work later; nothing was forgotten
"""

from __future__ import annotations


class ConnectError(Exception):
    """What is wrong and what to do, in words for the person at this machine."""


class SignInError(ConnectError):
    """Signing in did not work out, or the person refused."""


class StaleClient(SignInError):
    """The authorization server does not know the client that we registered (any more)."""


class Unavailable(ConnectError):
    """A server could not be asked. What is stored stays stored."""
