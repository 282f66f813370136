"""Binds the ledgers."""

from collections.abc import Callable

import pytest

from adapters.memory.ledger import InMemoryLedger
from adapters.sql.ledger import SqlLedger
from application.ports.ledger import LedgerBooks, LedgerStore
from contracts.ports.ledger import LedgerStoreContract
from contracts.ports.ledger_books import LedgerChargesContract
from contracts.ports.ledger_losses import LedgerLossContract
from tests.contract.sql_world import AnySqlWorld


class InMemoryHoles:
    """One ledger in memory behind both ports."""

    @pytest.fixture
    def ledger(self) -> InMemoryLedger:
        return InMemoryLedger()

    @pytest.fixture
    def store(self, ledger: InMemoryLedger) -> LedgerStore:
        return ledger

    @pytest.fixture
    def books(self, ledger: InMemoryLedger) -> LedgerBooks:
        return ledger

    @pytest.fixture
    def lose(self, ledger: InMemoryLedger) -> Callable[[], None]:
        def lose() -> None:
            ledger.reachable = False

        return lose

    @pytest.fixture
    def restore(self, ledger: InMemoryLedger) -> Callable[[], None]:
        def restore() -> None:
            ledger.reachable = True

        return restore


class TestInMemoryLedgerLeases(InMemoryHoles, LedgerStoreContract):
    pass


class TestInMemoryLedgerCharges(InMemoryHoles, LedgerChargesContract):
    pass


class TestInMemoryLedgerLosses(InMemoryHoles, LedgerLossContract):
    pass


class SqlHoles:
    """One ledger in a database behind both ports."""

    @pytest.fixture
    def ledger(self, sql: AnySqlWorld) -> SqlLedger:
        return SqlLedger(sql.database)

    @pytest.fixture
    def store(self, ledger: SqlLedger) -> LedgerStore:
        return ledger

    @pytest.fixture
    def books(self, ledger: SqlLedger) -> LedgerBooks:
        return ledger

    @pytest.fixture
    def lose(self, sql: AnySqlWorld) -> Callable[[], None]:
        return sql.lose

    @pytest.fixture
    def restore(self, sql: AnySqlWorld) -> Callable[[], None]:
        return sql.restore


class TestSqlLedgerLeases(SqlHoles, LedgerStoreContract):
    pass


class TestSqlLedgerCharges(SqlHoles, LedgerChargesContract):
    pass


class TestSqlLedgerLosses(SqlHoles, LedgerLossContract):
    pass
