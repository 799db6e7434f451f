"""What is kept of a secret where the secret itself need not be.

Every secret that is stored so has 128 random bits at least. A slow hash protects what can be
guessed, which these cannot, and would cost every request.
"""

from __future__ import annotations

import hashlib


def digest_of(secret: str) -> str:
    """SHA-256, in hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()
