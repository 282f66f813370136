"""Binds the key stores and the hasher."""

import pytest

from adapters.crypto.key_hash import PepperedKeyHasher
from adapters.memory.keys import InMemoryKeyStore
from adapters.sql.key_pages import SqlKeyPages
from adapters.sql.keys import SqlKeyStore
from application.ports.keys import KeyHasher, KeyPages, KeyStore, KeyUses
from contracts.ports.keys import KeyHasherContract, KeyPagesContract, KeyStoreContract, KeyUsesContract
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


class TestInMemoryKeyPages(KeyPagesContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return InMemoryKeyStore()

    @pytest.fixture
    def pages(self, store: InMemoryKeyStore) -> KeyPages:
        return store


class TestSqlKeyPages(KeyPagesContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> KeyStore:
        return SqlKeyStore(sql.database)

    @pytest.fixture
    def pages(self, sql: AnySqlWorld) -> KeyPages:
        return SqlKeyPages(sql.database)


class TestInMemoryKeyUses(KeyUsesContract):
    @pytest.fixture
    def store(self) -> KeyStore:
        return InMemoryKeyStore()

    @pytest.fixture
    def uses(self, store: InMemoryKeyStore) -> KeyUses:
        return store


class TestSqlKeyUses(KeyUsesContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> KeyStore:
        return SqlKeyStore(sql.database)

    @pytest.fixture
    def uses(self, store: SqlKeyStore) -> KeyUses:
        return store


class TestPepperedKeyHasher(KeyHasherContract):
    @pytest.fixture
    def hasher(self) -> KeyHasher:
        return PepperedKeyHasher({1: b"1" * 32, 2: b"2" * 32})
