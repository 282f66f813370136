"""Binds the logs of events."""

import pytest

from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.sql.event_log import SqlEventLog
from adapters.sql.outbox import SqlOutbox
from application.ports.event_log import EventLog
from application.ports.outbox import Outbox
from contracts.ports.event_log import EventLogContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryEventLog(EventLogContract):
    @pytest.fixture
    def outbox(self) -> Outbox:
        return InMemoryOutbox()

    @pytest.fixture
    def log(self, outbox: Outbox) -> EventLog:
        assert isinstance(outbox, InMemoryOutbox)
        return InMemoryEventLog(outbox)

    @pytest.fixture
    def unreachable_log(self) -> EventLog:
        outbox = InMemoryOutbox()
        outbox.reachable = False
        return InMemoryEventLog(outbox)


class TestSqlEventLog(EventLogContract):
    @pytest.fixture
    def outbox(self, sql: AnySqlWorld) -> Outbox:
        return SqlOutbox(sql.database)

    @pytest.fixture
    def log(self, sql: AnySqlWorld) -> EventLog:
        return SqlEventLog(sql.database)

    @pytest.fixture
    def unreachable_log(self, sql: AnySqlWorld) -> EventLog:
        sql.lose()
        return SqlEventLog(sql.database)
