"""The object store on Google Cloud Storage, against a strict stand-in: no faithful server can be had."""

from collections.abc import AsyncIterator

import pytest

from adapters.http.transport import StreamlinedTransport
from application.ports.object_store import ObjectStore
from contracts.ports.object_store import Count, Fetch, ObjectStoreContract
from contracts.ports.object_store_faults import (
    SECRET,
    ObjectStoreFaultsContract,
    RefusedObjectStoreContract,
)
from tests.contract.gcs_fake import GcsFake
from tests.contract.gcs_world import fake_gcs, fetched, key_file, store_at


@pytest.fixture
async def fake() -> AsyncIterator[GcsFake]:
    async with fake_gcs() as fake:
        fake.make_bucket("bucket")
        yield fake


class TestGcsStore(ObjectStoreContract, ObjectStoreFaultsContract):
    @pytest.fixture
    async def store(self, fake: GcsFake) -> AsyncIterator[ObjectStore]:
        async with store_at(fake.url) as store:
            yield store

    @pytest.fixture
    def unfinished(self, fake: GcsFake) -> Count:
        async def count() -> int:
            return fake.remains("bucket")

        return count

    @pytest.fixture
    def fetch(self) -> Fetch:
        return fetched


class TestRefusedGcsStore(RefusedObjectStoreContract):
    @pytest.fixture
    async def refused_store(self, fake: GcsFake) -> AsyncIterator[ObjectStore]:
        async with store_at(fake.url, key=key_file("wrong", SECRET)) as store:
            yield store

    @pytest.fixture
    async def unreachable_store(self) -> AsyncIterator[ObjectStore]:
        async with store_at("http://127.0.0.1:9", transport=StreamlinedTransport()) as store:
            yield store
