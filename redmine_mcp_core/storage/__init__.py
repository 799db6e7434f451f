"""Where tokens rest: the contract, the encryption round every backend, the memory backend."""

from redmine_mcp_core.storage.contract import (
    StoreError,
    StoreUnavailable,
    TokenStore,
    TokenStoreBackend,
)

__all__ = ["StoreError", "StoreUnavailable", "TokenStore", "TokenStoreBackend"]
