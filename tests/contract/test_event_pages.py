"""Binds what looks events up."""

import pytest

from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.event_pages import InMemoryEventPages
from adapters.memory.outbox import InMemoryOutbox
from adapters.sql.event_log import SqlEventLog
from adapters.sql.event_pages import SqlEventPages
from adapters.sql.outbox import SqlOutbox
from application.ports.event_pages import EventPages
from contracts.ports.event_pages import EventPagesContract, EventWorld
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryEventPages(EventPagesContract):
    @pytest.fixture
    def events(self) -> EventWorld:
        outbox = InMemoryOutbox()
        log = InMemoryEventLog(outbox)
        return EventWorld(outbox, log, InMemoryEventPages(log))

    @pytest.fixture
    def unreachable_pages(self) -> EventPages:
        outbox = InMemoryOutbox()
        outbox.reachable = False
        return InMemoryEventPages(InMemoryEventLog(outbox))


class TestSqlEventPages(EventPagesContract):
    @pytest.fixture
    def events(self, sql: AnySqlWorld) -> EventWorld:
        return EventWorld(SqlOutbox(sql.database), SqlEventLog(sql.database), SqlEventPages(sql.database))

    @pytest.fixture
    def unreachable_pages(self, sql: AnySqlWorld) -> EventPages:
        sql.lose()
        return SqlEventPages(sql.database)
