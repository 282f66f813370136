"""Binds the stores of webhooks where several are at it."""

import pytest

from contracts.ports.webhook_races import WebhookRacesContract
from contracts.ports.webhooks import Stores
from tests.contract.sql_world import AnySqlWorld
from tests.contract.test_webhooks import in_memory, in_sql


class TestInMemoryWebhookRaces(WebhookRacesContract):
    @pytest.fixture
    def stores(self) -> Stores:
        return in_memory()[0]


class TestSqlWebhookRaces(WebhookRacesContract):
    @pytest.fixture
    def stores(self, sql: AnySqlWorld) -> Stores:
        return in_sql(sql)
