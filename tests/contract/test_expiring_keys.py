"""Binds what finds keys that end soon, and what tells of them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.memory.expiring_keys import InMemoryExpiringKeys
from adapters.memory.keys import InMemoryKeyStore
from adapters.memory.outbox import InMemoryOutbox
from adapters.memory.system import SteppingClock
from adapters.sql.expiring_keys import SqlExpiringKeys
from adapters.sql.keys import SqlKeyStore
from application.events.expiring import TellExpiring
from application.ports.expiring_keys import ExpiringKeys
from contracts.ports.expiring_keys import ExpiringKeysContract, KeysWorld
from contracts.ports.keys import record
from tests.contract.sql_world import AnySqlWorld


class TestInMemoryExpiringKeys(ExpiringKeysContract):
    @pytest.fixture
    def keys(self) -> KeysWorld:
        store = InMemoryKeyStore()
        return KeysWorld(store, InMemoryExpiringKeys(store))

    @pytest.fixture
    def unreachable(self) -> ExpiringKeys:
        store = InMemoryKeyStore()
        store.reachable = False
        return InMemoryExpiringKeys(store)


class TestSqlExpiringKeys(ExpiringKeysContract):
    @pytest.fixture
    def keys(self, sql: AnySqlWorld) -> KeysWorld:
        return KeysWorld(SqlKeyStore(sql.database), SqlExpiringKeys(sql.database))

    @pytest.fixture
    def unreachable(self, sql: AnySqlWorld) -> ExpiringKeys:
        sql.lose()
        return SqlExpiringKeys(sql.database)


async def test_a_key_is_told_of_a_week_and_a_day_before_its_end_and_once_each() -> None:
    clock, store, outbox = SteppingClock(), InMemoryKeyStore(), InMemoryOutbox()
    await store.add(replace(record(), expires_at=clock.utc_now() + timedelta(days=8)))
    tellers = [TellExpiring(InMemoryExpiringKeys(store), outbox, clock) for _ in range(2)]
    for _ in range(10):
        for teller in tellers:
            await teller.look()
        clock.advance(86_400)

    told = [json.loads(event.payload)["within_s"] for event in await outbox.waiting()]
    assert told == [7 * 86_400, 86_400]
