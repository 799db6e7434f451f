"""Where tokens rest: the contract, the encryption round every backend, the memory backend."""

from redmine_mcp_core.storage.contract import (
    StoreError,
    StoreUnavailable,
    TokenStore,
    TokenStoreBackend,
)
from redmine_mcp_core.storage.encryption import DerivedKeys, EncryptedStore, derive_keys
from redmine_mcp_core.storage.memory import MemoryStore, memory_backend
from redmine_mcp_core.storage.opening import open_store, redact_url

__all__ = [
    "DerivedKeys",
    "EncryptedStore",
    "MemoryStore",
    "StoreError",
    "StoreUnavailable",
    "TokenStore",
    "TokenStoreBackend",
    "derive_keys",
    "memory_backend",
    "open_store",
    "redact_url",
]
