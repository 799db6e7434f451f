"""Where tokens rest: the contract, the encryption round every backend, the memory backend."""

from redmine_mcp_core.storage.contract import (
    Concern,
    Record,
    RecordStore,
    TokenStore,
    TokenStoreBackend,
)
from redmine_mcp_core.storage.encryption import EncryptedStore
from redmine_mcp_core.storage.errors import LockLost, LockTimeout, StoreError, StoreUnavailable
from redmine_mcp_core.storage.locks import Lease
from redmine_mcp_core.storage.memory import MemoryStore, memory_backend
from redmine_mcp_core.storage.moving import Tally, copy_records, inspect_records, rotate_keys
from redmine_mcp_core.storage.opening import open_store, redact_url
from redmine_mcp_core.storage.sealing import DerivedKeys, derive_keys
from redmine_mcp_core.storage.texts import Change, Row, TextStore
from redmine_mcp_core.storage.upkeep import counting, rotating

__all__ = [
    "Change",
    "Concern",
    "DerivedKeys",
    "EncryptedStore",
    "Lease",
    "LockLost",
    "LockTimeout",
    "MemoryStore",
    "Record",
    "RecordStore",
    "Row",
    "StoreError",
    "StoreUnavailable",
    "Tally",
    "TextStore",
    "TokenStore",
    "TokenStoreBackend",
    "copy_records",
    "counting",
    "derive_keys",
    "inspect_records",
    "memory_backend",
    "open_store",
    "redact_url",
    "rotate_keys",
    "rotating",
]
