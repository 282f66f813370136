"""Binds the ledgers."""

from collections.abc import Callable

import pytest

from adapters.memory.ledger import InMemoryLedger
from application.ports.ledger import LedgerBooks, LedgerStore
from contracts.ports.ledger import LedgerStoreContract
from contracts.ports.ledger_books import LedgerChargesContract, LedgerLossContract


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
