"""Binds the sources of master keys that are on this machine."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.crypto.keyring import EnvironmentKeys
from adapters.crypto.keyring_file import KeyringFile
from adapters.memory.vault_keys import InMemoryKeys
from application.ports.vault import KeyEncryption
from contracts.ports.key_encryption import KeyEncryptionContract, UnreachableKeysContract

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class TestInMemoryKeys(KeyEncryptionContract, UnreachableKeysContract):
    @pytest.fixture
    def keys(self) -> KeyEncryption:
        return InMemoryKeys(NOW)

    @pytest.fixture
    def unreachable_keys(self) -> KeyEncryption:
        keys = InMemoryKeys(NOW)
        keys.reachable = False
        return keys


class TestKeyringFile(KeyEncryptionContract, UnreachableKeysContract):
    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyEncryption:
        return KeyringFile(tmp_path / "vault.keys", may_create=True, now=lambda: NOW)

    @pytest.fixture
    def unreachable_keys(self, tmp_path: Path) -> KeyEncryption:
        return KeyringFile(tmp_path / "nowhere" / "vault.keys", may_create=False, now=lambda: NOW)


class TestEnvironmentKeys(KeyEncryptionContract):
    @pytest.fixture
    def keys(self) -> KeyEncryption:
        return EnvironmentKeys(f"now:{'1f' * 32},before:{'2e' * 32}")
