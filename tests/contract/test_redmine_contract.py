"""What we rely on in Redmine 6.1: one contract, held by the sandbox and by a real Redmine.

    env $(tests/real_redmine/up.py) pytest tests/contract

The expected values are those of the seed that both hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from .conftest import APPLICATIONS, REDIRECT_URI, SEED, forms, pkce, query_of

if TYPE_CHECKING:
    from .conftest import Target
