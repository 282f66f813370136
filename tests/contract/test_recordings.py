"""Binds the stores of recordings, and what only a database shows."""

import pytest
from sqlalchemy import select, update

from adapters.crypto.entry_seal import AesGcmEntrySeal
from adapters.memory.recordings import InMemoryRecordings
from adapters.sql.recording_tables import recordings
from adapters.sql.recordings import SqlRecordings
from application.ports.recordings import Recordings
from contracts.ports.recordings import NOW_US, PLENTY, RecordingsContract, recording
from tests.contract.sql_world import AnySqlWorld

SEAL = AesGcmEntrySeal({"one": b"k" * 32})


class TestInMemoryRecordings(RecordingsContract):
    @pytest.fixture
    def store(self) -> Recordings:
        return InMemoryRecordings()

    @pytest.fixture
    def unreachable_store(self) -> Recordings:
        store = InMemoryRecordings()
        store.reachable = False
        return store


class TestSqlRecordings(RecordingsContract):
    @pytest.fixture
    def store(self, sql: AnySqlWorld) -> Recordings:
        return SqlRecordings(sql.database, SEAL)

    @pytest.fixture
    def unreachable_store(self, sql: AnySqlWorld) -> Recordings:
        sql.lose()
        return SqlRecordings(sql.database, SEAL)


async def test_contents_are_sealed_and_open_nowhere_else(sql: AnySqlWorld) -> None:
    store = SqlRecordings(sql.database, SEAL)
    await store.put([recording(content=b"very secret " * 50)], tenant_day_bytes_max=PLENTY)

    sealed = await sql.database.read(
        lambda connection: bytes(connection.execute(select(recordings.c.content)).scalar_one())
    )
    assert b"secret" not in sealed
    assert len(sealed) < 200  # compressed before it was sealed
    await sql.database.write(
        lambda connection: connection.execute(update(recordings).values(request_id="req_2")).rowcount
    )
    [moved] = await store.of_request("acme", "req_2", now_us=NOW_US)
    assert moved.content is None


async def test_without_its_key_nothing_opens(sql: AnySqlWorld) -> None:
    await SqlRecordings(sql.database, SEAL).put([recording()], tenant_day_bytes_max=PLENTY)
    stranger = SqlRecordings(sql.database, AesGcmEntrySeal({"one": b"x" * 32}))
    [found] = await stranger.of_request("acme", "req_1", now_us=NOW_US)
    assert found.content is None
