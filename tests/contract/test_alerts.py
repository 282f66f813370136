"""Binds the stores of objectives and alerts, and what follows usage rows into them."""

import pytest

from adapters.memory.alerts import InMemoryAlertStore, InMemoryMeasureStore
from adapters.sql.alerts import SqlAlertStore
from adapters.sql.outbox import SqlOutbox
from adapters.sql.sla_measures import SlaFollower, SqlMeasureStore
from adapters.sql.usage_rows import SqlUsageWriter
from application.events.writing import event_of
from application.ports.alerts import AlertStore, MeasureStore, Saved
from contracts.ports.alerts import ALERT, NOW_US, AlertStoreContract, MeasureStoreContract
from contracts.ports.usage import usage_event
from domain.sla.measure import MINUTE_US, Scopes, measured
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryMeasures(MeasureStoreContract):
    @pytest.fixture
    def store(self) -> MeasureStore:
        return InMemoryMeasureStore()

    @pytest.fixture
    def unreachable(self) -> MeasureStore:
        store = InMemoryMeasureStore()
        store.reachable = False
        return store


class TestSqlMeasures(MeasureStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> MeasureStore:
        return SqlMeasureStore(sql.database)

    @pytest.fixture
    def unreachable(self, sql: AnySqlWorld) -> MeasureStore:
        sql.lose()
        return SqlMeasureStore(sql.database)


class TestInMemoryAlerts(AlertStoreContract):
    @pytest.fixture
    def store(self) -> AlertStore:
        return InMemoryAlertStore()

    @pytest.fixture
    def unreachable(self) -> AlertStore:
        store = InMemoryAlertStore()
        store.reachable = False
        return store


class TestSqlAlerts(AlertStoreContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> AlertStore:
        return SqlAlertStore(sql.database)

    @pytest.fixture
    def unreachable(self, sql: AnySqlWorld) -> AlertStore:
        sql.lose()
        return SqlAlertStore(sql.database)


async def test_rows_are_measured_once_however_often_they_are_written(sql: AnySqlWorld) -> None:
    scopes = Scopes(tenants=frozenset({"acme"}))
    writer = SqlUsageWriter(sql.database, [SlaFollower(sql.database.dialect, lambda: scopes)])
    events = [usage_event(number, tenant_id="acme", started_at_us=NOW_US) for number in range(7)]
    await writer.insert(events[:5])
    await writer.insert(events)

    (found,) = await SqlMeasureStore(sql.database).sums([(NOW_US, NOW_US + 60 * MINUTE_US)])

    wanted = measured(events, scopes)
    assert found == {scope: measure for (_, scope), measure in wanted.items()}
    assert found[""].requests == found["tenant:acme"].requests == 7


async def test_what_is_told_is_told_with_the_change_or_not_at_all(sql: AnySqlWorld) -> None:
    store, outbox = SqlAlertStore(sql.database), SqlOutbox(sql.database)
    event = event_of("alert.fired", "default", "alert.fired:x:1", {}, NOW_US)

    await store.save([Saved(ALERT, (), (event,))])
    await store.save([Saved(ALERT, (), (event._replace(key="late"),))])

    assert [each.key for each in await outbox.waiting()] == [event.key]
