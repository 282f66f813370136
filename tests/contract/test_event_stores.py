"""Binds the stores around events."""

import pytest

from adapters.memory.event_cursors import InMemoryEventCursors
from adapters.memory.event_listeners import InMemoryEventListeners
from adapters.memory.seen_messages import InMemorySeenMessages
from adapters.sql.event_cursors import SqlEventCursors
from adapters.sql.event_listeners import SqlEventListeners
from adapters.sql.seen_messages import SqlSeenMessages
from application.ports.event_cursors import EventCursors
from application.ports.event_listeners import EventListeners
from application.ports.seen_messages import SeenMessages
from contracts.ports.event_stores import EventCursorsContract, EventListenersContract, SeenMessagesContract
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryEventListeners(EventListenersContract):
    @pytest.fixture
    def listeners(self) -> EventListeners:
        return InMemoryEventListeners()

    @pytest.fixture
    def unreachable_listeners(self) -> EventListeners:
        store = InMemoryEventListeners()
        store.reachable = False
        return store


class TestSqlEventListeners(EventListenersContract):
    @pytest.fixture
    def listeners(self, sql: AnySqlWorld) -> EventListeners:
        return SqlEventListeners(sql.database)

    @pytest.fixture
    def unreachable_listeners(self, sql: AnySqlWorld) -> EventListeners:
        sql.lose()
        return SqlEventListeners(sql.database)


class TestInMemoryEventCursors(EventCursorsContract):
    @pytest.fixture
    def cursors(self) -> EventCursors:
        return InMemoryEventCursors()

    @pytest.fixture
    def unreachable_cursors(self) -> EventCursors:
        store = InMemoryEventCursors()
        store.reachable = False
        return store


class TestSqlEventCursors(EventCursorsContract):
    @pytest.fixture
    def cursors(self, sql: AnySqlWorld) -> EventCursors:
        return SqlEventCursors(sql.database)

    @pytest.fixture
    def unreachable_cursors(self, sql: AnySqlWorld) -> EventCursors:
        sql.lose()
        return SqlEventCursors(sql.database)


class TestInMemorySeenMessages(SeenMessagesContract):
    @pytest.fixture
    def seen(self) -> SeenMessages:
        return InMemorySeenMessages()

    @pytest.fixture
    def unreachable_seen(self) -> SeenMessages:
        store = InMemorySeenMessages()
        store.reachable = False
        return store


class TestSqlSeenMessages(SeenMessagesContract):
    @pytest.fixture
    def seen(self, sql: AnySqlWorld) -> SeenMessages:
        return SqlSeenMessages(sql.database)

    @pytest.fixture
    def unreachable_seen(self, sql: AnySqlWorld) -> SeenMessages:
        sql.lose()
        return SqlSeenMessages(sql.database)
