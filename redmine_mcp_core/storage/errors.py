"""What a token store may say.

StoreError                  cannot do what was asked
├── StoreUnavailable        cannot be reached now
│   └── LockTimeout         somebody else held the lock all the time
└── LockLost                the lock went to somebody else while we worked
"""

from __future__ import annotations


class StoreError(Exception):
    """A token store cannot do what was asked; the message says what to do about it."""


class StoreUnavailable(StoreError):
    """The store cannot be reached now; asking again later may help."""


class LockTimeout(StoreUnavailable):
    """Somebody else held the lock for as long as we were willing to wait."""


class LockLost(StoreError):
    """The lock ran out before the work was done, so somebody else may have done it, too."""
