"""The object store on S3, against moto's on loopback. moto checks no presigned address: see
`tests/unit/storage/test_presigning.py` for those."""

import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import cache
from typing import Any
from urllib.request import Request, urlopen

import aiohttp
import pytest
from aiobotocore.session import AioSession, get_session
from moto.server import ThreadedMotoServer

from adapters.storage.s3 import S3Store
from adapters.storage.s3_session import S3Keys, S3Place
from application.ports.object_store import PART_BYTES_MIN, ObjectStore
from contracts.ports.object_store import Count, Fetch, ObjectStoreContract
from contracts.ports.object_store_faults import (
    SECRET,
    ObjectStoreFaultsContract,
    RefusedObjectStoreContract,
)

REGION = "eu-central-1"
KEYS = S3Keys("AKIAIOSFODNN7EXAMPLE", "testing")


async def anywhere(host: str, port: int) -> Sequence[str]:
    return [host]


def place(url: str, bucket: str) -> S3Place:
    return S3Place(bucket, REGION, url, "path")


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise each client reads a whole store of certificates, for plain HTTP as well."""
    monkeypatch.setenv("AWS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])


@cache
def administrator() -> AioSession:
    """What it has read of S3 is megabytes."""
    return get_session()


def administration(url: str) -> Any:
    return administrator().create_client(
        "s3",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


async def new_bucket(url: str, name: str) -> str:
    async with administration(url) as client:
        await client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        await client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture
async def bucket(moto: str, request: pytest.FixtureRequest) -> str:
    return await new_bucket(moto, f"b-{hashlib.sha1(request.node.nodeid.encode()).hexdigest()[:20]}")


class TestS3Store(ObjectStoreContract, ObjectStoreFaultsContract):
    @pytest.fixture
    async def store(self, moto: str, bucket: str) -> AsyncIterator[ObjectStore]:
        store = S3Store(place(moto, bucket), KEYS, anywhere, part_bytes=PART_BYTES_MIN)
        yield store
        await store.aclose()

    @pytest.fixture
    def unfinished(self, moto: str, bucket: str) -> Count:
        async def count() -> int:
            async with administration(moto) as client:
                answer = await client.list_multipart_uploads(Bucket=bucket)
            return len(answer.get("Uploads", ()))

        return count

    @pytest.fixture
    def fetch(self) -> Fetch:
        return fetched


async def fetched(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=body or None) as answer,
    ):
        return answer.status, await answer.read()


class TestRefusedS3Store(RefusedObjectStoreContract):
    @pytest.fixture
    async def refused_store(self, moto: str) -> AsyncIterator[ObjectStore]:
        bucket = await new_bucket(moto, "refused")
        tell_moto(moto, 0)
        store = S3Store(place(moto, bucket), S3Keys("AKIAUNKNOWN", SECRET), anywhere)
        yield store
        await store.aclose()
        tell_moto(moto, float("inf"))

    @pytest.fixture
    async def unreachable_store(self) -> AsyncIterator[ObjectStore]:
        store = S3Store(place("http://127.0.0.1:9", "bucket"), KEYS, anywhere)
        yield store
        await store.aclose()


def tell_moto(url: str, calls: float) -> None:
    """From how many calls on it looks at credentials."""
    asking = Request(
        f"{url}/moto-api/reset-auth",
        data=str(calls).encode(),
        headers={"content-type": "text/plain"},
        method="POST",
    )
    with urlopen(asking, timeout=5) as answer:
        assert answer.status == 200
