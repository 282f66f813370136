"""The object store on Azure Blob Storage, against Azurite on loopback. Azurite keeps no versions."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import aiohttp
import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import ContainerClient

from adapters.storage.azure import AzureStore
from adapters.storage.azure_session import AzureKeys, AzurePlace
from application.ports.object_store import PART_BYTES_MIN, ObjectStore, PresignedUrl, Writing
from contracts.ports.object_store import (
    LARGE,
    Count,
    Fetch,
    ObjectStoreContract,
    content_of,
    pieces,
    put,
    sha256_of,
)
from contracts.ports.object_store_faults import (
    SECRET,
    ObjectStoreFaultsContract,
    RefusedObjectStoreContract,
)
from domain.errors import IntegrationUnavailable, InvalidParameters, ToolFailed, ToolRefused
from domain.vault.secret import SecretText
from tests.azurite.running import ACCOUNT, ACCOUNT_KEY, Azurite, running_azurite
from tests.conftest import missing

KEYS = AzureKeys(account_key=SecretText(ACCOUNT_KEY))


async def anywhere(host: str, port: int) -> Sequence[str]:
    return [host]


@pytest.fixture(scope="module")
def azurite() -> Iterator[Azurite]:
    with running_azurite() as found:
        if isinstance(found, str):
            missing(f"azurite ({found})")
        assert isinstance(found, Azurite)
        yield found


def store_at(server: Azurite, container: str, keys: AzureKeys = KEYS, **more: Any) -> AzureStore:
    options: dict[str, Any] = {"part_bytes": PART_BYTES_MIN, "presigned_writing": True, **more}
    return AzureStore(
        AzurePlace(ACCOUNT, container, server.service_url), keys, anywhere, time.time, **options
    )


async def new_container(server: Azurite, name: str) -> str:
    async with ContainerClient(server.service_url, name, credential=ACCOUNT_KEY) as client:
        await client.create_container()
    return name


@pytest.fixture
async def container(azurite: Azurite, request: pytest.FixtureRequest) -> str:
    named = hashlib.sha1(request.node.nodeid.encode()).hexdigest()[:20]
    return await new_container(azurite, f"c-{named}")


async def fetched(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=body or None) as answer,
    ):
        return answer.status, await answer.read()


class TestAzureStore(ObjectStoreContract, ObjectStoreFaultsContract):
    @pytest.fixture
    async def store(self, azurite: Azurite, container: str) -> AsyncIterator[ObjectStore]:
        store = store_at(azurite, container, segment_bytes=PART_BYTES_MIN)
        yield store
        await store.aclose()

    @pytest.fixture
    def unfinished(self, azurite: Azurite, container: str) -> Count:
        """What somebody could still complete: uncommitted blocks are Azure's own to drop."""

        async def count() -> int:
            async with ContainerClient(azurite.service_url, container, credential=ACCOUNT_KEY) as client:
                return len([each async for each in client.list_blobs(name_starts_with=".interchange/")])

        return count

    @pytest.fixture
    def fetch(self) -> Fetch:
        return fetched


class TestRefusedAzureStore(RefusedObjectStoreContract):
    @pytest.fixture
    async def refused_store(self, azurite: Azurite, container: str) -> AsyncIterator[ObjectStore]:
        wrong = SecretText(base64.b64encode(SECRET.encode()).decode())
        store = store_at(azurite, container, AzureKeys(account_key=wrong))
        yield store
        await store.aclose()

    @pytest.fixture
    async def unreachable_store(self) -> AsyncIterator[ObjectStore]:
        store = store_at(Azurite("http://127.0.0.1:9"), "container")
        yield store
        await store.aclose()


@pytest.fixture
async def store(azurite: Azurite, container: str) -> AsyncIterator[AzureStore]:
    store = store_at(azurite, container)
    yield store
    await store.aclose()


def with_sas(azurite: Azurite, container: str, permissions: str, ends_in_s: float) -> AzureStore:
    token = generate_container_sas(
        ACCOUNT,
        container,
        account_key=ACCOUNT_KEY,
        permission=ContainerSasPermissions.from_string(permissions),
        expiry=datetime.fromtimestamp(time.time() + ends_in_s, UTC),
        start=datetime.fromtimestamp(time.time(), UTC) - timedelta(hours=1),
    )
    return store_at(azurite, container, AzureKeys(sas_token=SecretText(token)))


async def test_a_shared_access_signature_is_enough_for_everything_but_signing(
    azurite: Azurite, container: str
) -> None:
    store = with_sas(azurite, container, "racwdl", 600)
    await store.put("large", pieces(LARGE), Writing(checksum=sha256_of(LARGE)))
    await store.copy("large", "b")
    upload_id = await store.begin("c", Writing(content_type="text/plain"))
    await store.put_part("c", upload_id, 1, b"part")
    await store.complete("c", upload_id, Writing())

    assert await content_of(store, "b") == LARGE
    assert [each.key for each in (await store.page("")).objects] == ["b", "c", "large"]
    assert await store.check()
    with pytest.raises(InvalidParameters):
        await store.presign("GET", "b", expires_s=60)
    await store.aclose()


async def test_an_expired_signature_is_a_refused_credential(azurite: Azurite, container: str) -> None:
    store = with_sas(azurite, container, "racwdl", -60)
    for asking in (store.head("a"), store.open("a"), store.page(""), put(store, "a"), store.check()):
        with pytest.raises(IntegrationUnavailable) as caught:
            await asking
        assert "sig=" not in caught.value.message
    await store.aclose()


async def test_a_signature_for_reading_does_not_write(azurite: Azurite, container: str) -> None:
    store = with_sas(azurite, container, "r", 600)
    with pytest.raises(ToolFailed):
        await put(store, "a")
    with pytest.raises(IntegrationUnavailable, match="cannot be listed"):
        await store.check()
    await store.aclose()


async def signed(store: AzureStore, method: str = "GET", expires_s: int = 60) -> PresignedUrl:
    await put(store, "a b", b"content")
    return await store.presign("GET" if method == "GET" else "PUT", "a b", expires_s=expires_s)


@pytest.mark.parametrize(
    ("name", "value"), [("sig", "AAAA"), ("sp", "rw"), ("se", "2099-01-01T00:00:00Z"), ("sr", "c")]
)
async def test_an_address_that_was_tampered_with_opens_nothing(
    store: AzureStore, name: str, value: str
) -> None:
    made = await signed(store)
    parts = urlsplit(made.url)
    changed = urlencode({**dict(parse_qsl(parts.query)), name: value}, quote_via=quote)

    status, _ = await fetched("GET", urlunsplit(parts._replace(query=changed)), {}, b"")
    other, _ = await fetched("GET", made.url.replace("a%20b", "other"), {}, b"")

    assert (status, other) == (403, 403)
    assert (await fetched("GET", made.url, {}, b""))[0] == 200


async def test_an_address_opens_nothing_when_its_time_is_over(azurite: Azurite, container: str) -> None:
    past = AzureStore(
        AzurePlace(ACCOUNT, container, azurite.service_url), KEYS, anywhere, lambda: time.time() - 120
    )
    made = await signed(past)
    assert (await fetched("GET", made.url, {}, b""))[0] == 403
    await past.aclose()


async def test_an_address_for_reading_does_not_write_and_one_for_writing_replaces_nothing(
    store: AzureStore,
) -> None:
    reading = await signed(store)
    writing = await store.presign("PUT", "a b", expires_s=60, content_type="text/plain", size_bytes=3)

    for url in (reading.url, writing.url):
        status, _ = await fetched("PUT", url, dict(writing.headers), b"new")
        assert status == 403
    assert (await fetched("GET", writing.url, {}, b""))[0] == 403
    assert await content_of(store, "a b") == b"content"


async def test_addresses_for_writing_are_only_made_where_the_integration_says_so(
    azurite: Azurite, container: str
) -> None:
    store = store_at(azurite, container, presigned_writing=False)
    with pytest.raises(InvalidParameters, match="presigned_writing"):
        await store.presign("PUT", "a", expires_s=60)
    await store.aclose()


async def test_records_of_uploads_are_nobodys_objects(store: AzureStore) -> None:
    await store.begin("a", Writing())
    private = ".interchange/uploads/x/begun"

    assert not (await store.page("")).objects and not (await store.page("", delimiter="/")).prefixes
    for asking in (store.open(private), put(store, private), store.delete(private), store.head(private)):
        with pytest.raises(ToolRefused):
            await asking


async def test_a_missing_container_is_no_missing_object(azurite: Azurite) -> None:
    store = store_at(azurite, "no-such-container")
    for asking in (store.open("a"), store.page(""), put(store, "a"), store.check()):
        with pytest.raises(IntegrationUnavailable):
            await asking
    await store.aclose()


async def test_of_two_uploads_to_one_key_the_later_fails_whole(store: AzureStore) -> None:
    first, second = await store.begin("a", Writing()), await store.begin("a", Writing())
    await store.put_part("a", first, 1, b"first")
    await store.put_part("a", second, 1, b"second")

    await store.complete("a", first, Writing())

    assert await store.parts("a", second) == []
    with pytest.raises(InvalidParameters):
        await store.complete("a", second, Writing())
    assert await content_of(store, "a") == b"first"
