"""Binds the stores of credentials, and the logs of rotations."""

import pytest

from adapters.memory.vault import InMemoryCredentialStore, InMemoryRotationLog
from adapters.sql.vault import SqlCredentialStore, SqlRotationLog
from application.ports.vault import CredentialStore, RotationLog
from contracts.ports.credential_store import CredentialStoreContract, RotationLogContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def store(self) -> CredentialStore:
        return InMemoryCredentialStore()

    @pytest.fixture
    def unreachable_store(self) -> CredentialStore:
        store = InMemoryCredentialStore()
        store.reachable = False
        return store


class TestSqlCredentialStore(CredentialStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> CredentialStore:
        return SqlCredentialStore(sql.database)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> CredentialStore:
        sql.lose()
        return SqlCredentialStore(sql.database)


class TestInMemoryRotationLog(RotationLogContract):
    @pytest.fixture
    def log(self) -> RotationLog:
        return InMemoryRotationLog()

    @pytest.fixture
    def unreachable_log(self) -> RotationLog:
        log = InMemoryRotationLog()
        log.reachable = False
        return log


class TestSqlRotationLog(RotationLogContract):
    @pytest.fixture
    def log(self, sql: AnySqlWorld) -> RotationLog:
        return SqlRotationLog(sql.database)

    @pytest.fixture
    def unreachable_log(self, sql: AnySqlWorld) -> RotationLog:
        sql.lose()
        return SqlRotationLog(sql.database)
