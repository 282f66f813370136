"""Binds the pools of leases."""

from collections.abc import Callable, Iterator

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.memory.ledger_pools import InMemoryLedgerPools
from adapters.sql.ledger import SqlLedger
from adapters.sql.ledger_pools import SqlLedgerPools
from contracts.ports.ledger_pools import LedgerPoolsContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryLedgerPools(LedgerPoolsContract):
    @pytest.fixture
    def ledger(self) -> InMemoryLedger:
        return InMemoryLedger()

    @pytest.fixture
    def books(self, ledger: InMemoryLedger) -> InMemoryLedger:
        return ledger

    @pytest.fixture
    def pools(self, ledger: InMemoryLedger) -> InMemoryLedgerPools:
        return InMemoryLedgerPools(ledger)

    @pytest.fixture
    def lose(self, ledger: InMemoryLedger) -> Callable[[], None]:
        def lose() -> None:
            ledger.reachable = False

        return lose


class TestSqlLedgerPools(LedgerPoolsContract):
    @pytest.fixture
    def ledger(self, sql: AnySqlWorld) -> SqlLedger:
        return SqlLedger(sql.database)

    @pytest.fixture
    def books(self, ledger: SqlLedger) -> SqlLedger:
        return ledger

    @pytest.fixture
    def pools(self, sql: AnySqlWorld, ledger: SqlLedger) -> SqlLedgerPools:
        return SqlLedgerPools(sql.database, ledger)

    @pytest.fixture
    def lose(self, sql: AnySqlWorld) -> Iterator[Callable[[], None]]:
        yield sql.lose
        sql.restore()
