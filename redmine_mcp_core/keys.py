"""From the settings to the encrypted store: the same keys for the server and for its commands."""

from __future__ import annotations

from redmine_mcp_core.settings import Settings
from redmine_mcp_core.storage import EncryptedStore, TokenStore, derive_keys


def encrypted(settings: Settings, backend: TokenStore) -> EncryptedStore:
    """Put the encryption of these settings round a backend."""
    derived = derive_keys(settings.root_secret)
    listed = [derive_keys(key.get_secret_value()) for key in settings.mcp_encryption_keys]
    # The derived key stays at the end of the list: it encrypted what is older than the list.
    keys = [*(key.encryption for key in listed), derived.encryption]
    return EncryptedStore(backend, list(dict.fromkeys(keys)), name_key=derived.names)
