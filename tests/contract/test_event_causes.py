"""Events in the transaction of their cause, on both databases."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection, func, select

from adapters.sql.integrations import SqlHealthLog, SqlIntegrationStore
from adapters.sql.keys import SqlKeyStore
from adapters.sql.outbox import SqlOutbox
from adapters.sql.request_events import RequestEvents
from adapters.sql.schema import usage_requests
from adapters.sql.stops import SqlStopStore
from adapters.sql.usage_rows import SqlUsageWriter
from application.ports.outbox import OutboxEvent
from contracts.ports.integrations import stored
from contracts.ports.keys import NOW, record
from contracts.ports.stops import stop
from contracts.ports.usage import usage_event
from domain.analytics.event import RequestEvent
from domain.connectors.health import HealthCheck, HealthState
from domain.connectors.integration import IntegrationState
from domain.errors import Conflict
from domain.guards.stop import StopCause
from tests.contract.sql_world import AnySqlWorld


async def told(sql: AnySqlWorld) -> list[OutboxEvent]:
    return await SqlOutbox(sql.database).waiting(limit=1000)


async def topics(sql: AnySqlWorld) -> list[str]:
    return sorted(event.topic for event in await told(sql))


def wants_of_acme(tenant_id: str, topic: str) -> bool:
    return tenant_id == "acme" and topic == "integration.request_completed"


async def test_a_request_is_told_with_its_row_once_and_only_where_it_is_wanted(sql: AnySqlWorld) -> None:
    writer = SqlUsageWriter(sql.database, [RequestEvents(sql.database.dialect, wants_of_acme)])
    mine = [usage_event(number)._replace(tenant_id="acme") for number in range(3)]
    theirs = usage_event(9)._replace(tenant_id="other")

    await writer.insert([*mine, theirs])
    await writer.insert([*mine, theirs])

    found = await told(sql)
    assert {event.tenant_id for event in found} == {"acme"}
    assert {json.loads(event.payload)["request_id"] for event in found} == {each.request_id for each in mine}


async def test_a_row_that_is_not_written_is_not_told(sql: AnySqlWorld) -> None:
    def fails(connection: Connection, events: object) -> None:
        del connection, events
        raise RuntimeError("the last follower failed")

    writer = SqlUsageWriter(
        sql.database, [RequestEvents(sql.database.dialect, lambda _tenant, _topic: True), fails]
    )

    with pytest.raises(RuntimeError):
        await writer.insert([usage_event(1)])

    rows = await sql.database.read(
        lambda connection: connection.execute(select(func.count()).select_from(usage_requests)).scalar_one()
    )
    assert (rows, await told(sql)) == (0, [])


async def test_a_strange_request_is_told_all_the_same(sql: AnySqlWorld) -> None:
    writer = SqlUsageWriter(sql.database, [RequestEvents(sql.database.dialect, lambda _tenant, _topic: True)])
    strange: RequestEvent = usage_event(1)._replace(agent_id="a\0b", started_at_us=2**62, duration_us=1)

    await writer.insert([strange])

    assert "integration.request_completed" in await topics(sql)


async def test_keys_tell_of_themselves_once(sql: AnySqlWorld) -> None:
    store = SqlKeyStore(sql.database)
    await store.add(record())
    with pytest.raises(Conflict):
        await store.add(record())
    known = await store.get("Key000000001")
    assert known is not None
    rotated = await store.change(replace(known, rotated_at=NOW + timedelta(hours=1)))
    assert rotated is not None
    assert await store.change(replace(rotated, name="another name")) is not None
    assert await store.change(replace(known, rotated_at=NOW)) is None, "somebody else came first"
    assert await store.revoke("acme", "Key000000001", NOW, by="Key000000009", reason="lost")
    assert not await store.revoke("acme", "Key000000001", NOW)

    assert await topics(sql) == ["key.created", "key.revoked", "key.rotated"]


async def test_stops_tell_of_themselves_once(sql: AnySqlWorld) -> None:
    store = SqlStopStore(sql.database)
    await store.add(stop(), stops_max=9)
    guards = stop("stop_2", cause=StopCause.SPEND_RATE)
    assert await store.add(guards, stops_max=9)
    assert not await store.add(replace(guards, stop_id="stop_3"), stops_max=9)
    with pytest.raises(Conflict):
        await store.add(stop("stop_4"), stops_max=2)
    assert await store.lift("acme", "stop_1", NOW, "Key000000001")
    assert not await store.lift("acme", "stop_1", NOW, "Key000000001")

    assert await topics(sql) == ["agent.released", "agent.stopped", "agent.stopped"]


async def test_integrations_tell_when_they_are_switched_and_when_checks_find_them_otherwise(
    sql: AnySqlWorld,
) -> None:
    store, log = SqlIntegrationStore(sql.database), SqlHealthLog(sql.database)
    one = stored()
    await store.put(one, tenant_max=9)
    await store.change(replace(one, version=2), expected_version=1)
    paused = replace(one, version=3, state=IntegrationState.MAINTENANCE, updated_by="Key000000009")
    with pytest.raises(Conflict):
        await store.change(paused, expected_version=1)
    await store.change(paused, expected_version=2)
    for number, state in enumerate((HealthState.HEALTHY, HealthState.HEALTHY, HealthState.UNHEALTHY)):
        check = HealthCheck(one.tenant_id, one.integration_id, number, state, error="away" * number)
        await log.add(check)
        await log.add(check)

    said = [json.loads(event.payload) for event in await told(sql)]
    assert sorted((each["aspect"], each["previous_state"], each["state"]) for each in said) == [
        ("health", "healthy", "unhealthy"),
        ("switch", "active", "maintenance"),
    ]
