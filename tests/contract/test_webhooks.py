"""Binds the stores of webhooks."""

import pytest

from adapters.memory.event_log import InMemoryEventLog
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.webhooks import InMemoryDeliveries, InMemoryEndpointStore
from adapters.sql.event_log import SqlEventLog
from adapters.sql.outbox import SqlOutbox
from adapters.sql.webhook_endpoints import SqlEndpointStore
from adapters.sql.webhook_log import SqlDeliveryLog, SqlDeliveryUpkeep
from adapters.sql.webhook_queue import SqlDeliveryQueue
from contracts.ports.webhooks import Stores, WebhooksContract
from tests.contract.sql_world import AnySqlWorld


def in_memory() -> tuple[Stores, InMemoryOutbox]:
    outbox = InMemoryOutbox()
    events, endpoints = InMemoryEventLog(outbox), InMemoryEndpointStore(outbox)
    deliveries = InMemoryDeliveries(endpoints, events)
    return Stores(outbox, events, endpoints, deliveries, deliveries, deliveries), outbox


def in_sql(sql: AnySqlWorld) -> Stores:
    database = sql.database
    return Stores(
        SqlOutbox(database),
        SqlEventLog(database),
        SqlEndpointStore(database),
        SqlDeliveryQueue(database),
        SqlDeliveryLog(database),
        SqlDeliveryUpkeep(database),
    )


class TestInMemoryWebhooks(WebhooksContract):
    @pytest.fixture
    def stores(self) -> Stores:
        return in_memory()[0]

    @pytest.fixture
    def unreachable_stores(self) -> Stores:
        stores, outbox = in_memory()
        outbox.reachable = False
        return stores


class TestSqlWebhooks(WebhooksContract):
    @pytest.fixture
    def stores(self, sql: AnySqlWorld) -> Stores:
        return in_sql(sql)

    @pytest.fixture
    def unreachable_stores(self, sql: AnySqlWorld) -> Stores:
        sql.lose()
        return in_sql(sql)
