"""Binds the stores of the outbox."""

import pytest

from adapters.memory.outbox import InMemoryOutbox
from adapters.sql.outbox import SqlOutbox
from application.ports.outbox import Outbox
from contracts.ports.outbox import OutboxContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self) -> Outbox:
        return InMemoryOutbox()

    @pytest.fixture
    def unreachable_outbox(self) -> Outbox:
        outbox = InMemoryOutbox()
        outbox.reachable = False
        return outbox


class TestSqlOutbox(OutboxContract):
    @pytest.fixture
    def outbox(self, sql: AnySqlWorld) -> Outbox:
        return SqlOutbox(sql.database)

    @pytest.fixture
    def unreachable_outbox(self, sql: AnySqlWorld) -> Outbox:
        sql.lose()
        return SqlOutbox(sql.database)
