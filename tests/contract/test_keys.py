"""Binds the key stores and the hasher."""

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.keys import InMemoryKeyStore
from adapters.sql.keys import SqlKeyStore
from application.ports.keys import KeyHasher, KeyStore
from contracts.ports.keys import KeyHasherContract, KeyStoreContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return InMemoryKeyStore()

    @pytest.fixture
    def unreachable_store(self) -> KeyStore:
        store = InMemoryKeyStore()
        store.reachable = False
        return store


class TestSqlKeyStore(KeyStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> KeyStore:
        return SqlKeyStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> KeyStore:
        sql.lose()
        return SqlKeyStore(sql.database)


class TestPepperedKeyHasher(KeyHasherContract):
    @pytest.fixture
    def hasher(self) -> KeyHasher:
        return PepperedKeyHasher({1: b"1" * 32, 2: b"2" * 32})
