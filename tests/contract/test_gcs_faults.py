"""What can go wrong on the way to Google Cloud Storage, done to the stand-in."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from adapters.http.transport import StreamlinedTransport
from adapters.storage import gcs_parts
from adapters.storage.gcs import GcsStore
from application.ports.object_store import PART_BYTES_MIN, ByteRange, Writing
from contracts.ports.object_store import LARGE, chunks, content_of, pieces, put, rest_of, sha256_of
from domain.errors import (
    ChecksumMismatch,
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    PreconditionFailed,
    ToolFailed,
    ToolRefused,
)
from tests.contract.gcs_fake import GcsFake
from tests.contract.gcs_fake_signatures import Asked
from tests.contract.gcs_world import fake_gcs, fetched, store_at


@pytest.fixture
async def fake() -> AsyncIterator[GcsFake]:
    async with fake_gcs() as fake:
        fake.make_bucket("bucket")
        yield fake


@pytest.fixture
async def store(fake: GcsFake) -> AsyncIterator[GcsStore]:
    async with store_at(fake.url) as store:
        yield store


def is_piece(asked: Asked) -> bool:
    return asked.method == "PUT" and "upload_id" in asked.query


@pytest.mark.parametrize("kept", [0, 1024 * 1024, PART_BYTES_MIN])
async def test_an_upload_goes_on_where_its_connection_broke(
    fake: GcsFake, store: GcsStore, kept: int
) -> None:
    fake.cut_chunks = [kept, kept]

    await store.put("a", pieces(LARGE), Writing(checksum=sha256_of(LARGE)))

    assert await content_of(store, "a") == LARGE
    assert fake.remains("bucket") == 0
    ranges = [asked.headers["content-range"] for asked in fake.asked if is_piece(asked)]
    assert "bytes */*" in ranges
    if 0 < kept < PART_BYTES_MIN:
        # The transport sent the first one again by itself, on a connection that was fresh for sure.
        assert f"bytes {2 * kept}-{PART_BYTES_MIN - 1}/*" in ranges


async def test_an_upload_that_always_breaks_ends_and_is_called_off(fake: GcsFake, store: GcsStore) -> None:
    fake.cut_chunks = [0] * 20
    with pytest.raises(InterchangeError):
        await store.put("a", pieces(LARGE), Writing())
    assert fake.remains("bucket") == 0
    assert fake.live("bucket", "a") is None


async def test_what_was_damaged_on_the_way_makes_no_object(fake: GcsFake, store: GcsStore) -> None:
    async def damage(asked: Asked) -> web.Response | None:
        if is_piece(asked) and asked.body:
            number = asked.query["upload_id"]
            fake.sessions[number].received[:1] = b"x"
        return None

    fake.script = damage
    with pytest.raises(ChecksumMismatch):
        await store.put("a", pieces(LARGE[1:]), Writing())
    assert fake.live("bucket", "a") is None


@pytest.mark.parametrize("cuts", [[1000], [300_000, 1, 700_000]])
async def test_a_download_goes_on_where_it_broke(fake: GcsFake, store: GcsStore, cuts: list[int]) -> None:
    await store.put("a", pieces(LARGE), Writing())
    fake.cut_media = list(cuts)
    assert await content_of(store, "a") == LARGE
    fake.cut_media = list(cuts)
    assert await content_of(store, "a", byte_range=ByteRange(7, 3_000_000)) == LARGE[7:3_000_007]


async def test_a_download_that_always_breaks_ends(fake: GcsFake, store: GcsStore) -> None:
    await store.put("a", pieces(LARGE), Writing())
    fake.cut_media = [10] * 20
    with pytest.raises(ToolFailed, match="broke off"):
        await content_of(store, "a")


async def test_an_object_that_is_replaced_while_its_connection_breaks_is_not_mixed(store: GcsStore) -> None:
    async with fake_gcs() as fake:
        fake.make_bucket("bucket", versioning=False)
        async with store_at(fake.url) as other:
            await other.put("a", pieces(LARGE), Writing())
            fake.cut_media = [300_000]
            stream = await other.open("a")
            await put(other, "a", b"another")
            with pytest.raises(ToolFailed, match="changed"):
                await rest_of(stream)


async def test_bytes_that_are_not_what_was_written_are_noticed(fake: GcsFake, store: GcsStore) -> None:
    await put(store, "a", b"content")

    async def script(asked: Asked) -> web.Response | None:
        return web.Response(body=b"c0ntent") if asked.query.get("alt") == "media" else None

    fake.script = script
    with pytest.raises(ChecksumMismatch):
        await content_of(store, "a")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_store_is_asked_again_when_it_says(fake: GcsFake, store: GcsStore, status: int) -> None:
    left = [2, 2]

    async def script(asked: Asked) -> web.Response | None:
        place = 0 if asked.method == "GET" else 1
        if left[place] and asked.path != "/token":
            left[place] -= 1
            return web.Response(status=status, headers={"retry-after": "0"})
        return None

    fake.script = script
    await put(store, "a")
    assert await content_of(store, "a") == b"content"


async def test_a_store_that_stays_busy_says_when_to_come_back(fake: GcsFake, store: GcsStore) -> None:
    async def script(asked: Asked) -> web.Response | None:
        return web.Response(status=503, headers={"retry-after": "30"}) if asked.path != "/token" else None

    fake.script = script
    for asking in (store.head("a"), store.page(""), put(store, "a")):
        fake.asked.clear()
        with pytest.raises(IntegrationUnavailable) as caught:
            await asking
        assert caught.value.retry_after_s == 30
        assert len([asked for asked in fake.asked if asked.path != "/token"]) == 1


async def test_a_conditional_write_is_not_repeated_when_nobody_knows_what_it_did(
    fake: GcsFake, store: GcsStore
) -> None:
    async def script(asked: Asked) -> web.Response | None:
        return web.Response(status=500) if asked.method == "POST" and asked.path != "/token" else None

    fake.script = script
    with pytest.raises(IntegrationUnavailable):
        await put(store, "a", only_if_absent=True)
    assert len([asked for asked in fake.asked if asked.path.startswith("/upload")]) == 1


async def test_a_store_that_hangs_is_given_up(fake: GcsFake) -> None:
    async def script(asked: Asked) -> web.Response | None:
        await asyncio.Event().wait()
        return None

    async with store_at(fake.url, read_timeout_s=0.1) as store:
        await store.check()
        fake.script = script
        with pytest.raises(IntegrationUnavailable):
            await store.head("a")


async def test_who_leaves_a_store_that_hangs_leaves_at_once(fake: GcsFake, store: GcsStore) -> None:
    hanging = asyncio.Event()

    async def script(asked: Asked) -> web.Response | None:
        hanging.set()
        await asyncio.Event().wait()
        return None

    await store.check()
    fake.script = script
    asking = asyncio.create_task(store.head("a"))
    await asyncio.wait_for(hanging.wait(), 5)
    asking.cancel()
    await asyncio.wait([asking], timeout=5)
    assert asking.cancelled()


async def test_a_token_that_ended_is_replaced_and_asked_for_once(fake: GcsFake, store: GcsStore) -> None:
    await asyncio.gather(*(store.page("") for _ in range(5)))
    assert len([asked for asked in fake.asked if asked.path == "/token"]) == 1
    fake.tokens.clear()
    await store.page("")
    assert len([asked for asked in fake.asked if asked.path == "/token"]) == 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_lead_nowhere(fake: GcsFake, store: GcsStore, status: int) -> None:
    async with fake_gcs() as other:

        async def script(asked: Asked) -> web.Response | None:
            return web.Response(status=status, headers={"location": f"{other.url}/elsewhere"})

        await store.check()
        fake.script = script
        for asking in (store.head("a"), store.open("a"), store.page(""), put(store, "a")):
            with pytest.raises(InterchangeError):
                await asking
        assert not other.asked


async def test_a_session_somewhere_else_is_not_followed(fake: GcsFake, store: GcsStore) -> None:
    async with fake_gcs() as other:

        async def script(asked: Asked) -> web.Response | None:
            if asked.query.get("uploadType") == "resumable":
                return web.Response(headers={"location": f"{other.url}/upload?upload_id=1"})
            return None

        fake.script = script
        with pytest.raises(IntegrationUnavailable, match="another host"):
            await store.put("a", pieces(LARGE), Writing())
        assert not other.asked


async def test_rules_of_egress_hold(fake: GcsFake) -> None:
    async with store_at(fake.url, transport=StreamlinedTransport(allow=lambda *_: False)) as store:
        for asking in (store.head("a"), store.page(""), put(store, "a"), store.check()):
            with pytest.raises(EgressRefused):
                await asking
    assert not fake.asked


async def test_a_missing_bucket_is_no_missing_object(fake: GcsFake) -> None:
    async with store_at(fake.url, "elsewhere") as store:
        for asking in (store.page(""), put(store, "a"), store.head("a"), store.check()):
            with pytest.raises(IntegrationUnavailable, match="no such bucket"):
                await asking


async def test_garbage_is_an_error_of_the_other_side(fake: GcsFake, store: GcsStore) -> None:
    await store.check()

    async def script(asked: Asked) -> web.Response | None:
        return web.Response(body=b"<html>not Google</html>")

    fake.script = script
    for asking in (
        store.head("a"),
        store.page(""),
        store.versions(""),
        put(store, "a"),
        store.copy("a", "b"),
    ):
        with pytest.raises(ToolFailed):
            await asking


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("X-Goog-Expires=60", "X-Goog-Expires=6000"),
        ("/a%20b?", "/other?"),
        ("GET", "PUT"),
        ("X-Goog-Signature=", "X-Goog-Signature=00"),
    ],
)
async def test_an_address_that_was_tampered_with_opens_nothing(store: GcsStore, old: str, new: str) -> None:
    await put(store, "a b")
    await put(store, "other")
    made = await store.presign("GET", "a b", expires_s=60)
    method = new if old == "GET" else "GET"

    assert (await fetched(method, made.url.replace(old, new), {}, b""))[0] == 403
    assert (await fetched("GET", made.url, {}, b""))[0] == 200


async def test_an_address_opens_nothing_when_its_time_is_over(fake: GcsFake) -> None:
    async with store_at(fake.url, now_s=lambda: time.time() - 120) as past:
        made = await past.presign("GET", "a", expires_s=60)
    assert (await fetched("GET", made.url, {}, b""))[0] == 403


async def test_an_address_for_writing_holds_type_and_size(store: GcsStore) -> None:
    made = await store.presign("PUT", "a", expires_s=60, content_type="text/plain", size_bytes=3)

    other = {**made.headers, "content-type": "text/html"}
    bare = {name: value for name, value in made.headers.items() if name != "x-goog-content-length-range"}
    assert (await fetched("PUT", made.url, other, b"new"))[0] == 403
    assert (await fetched("PUT", made.url, bare, b"new"))[0] == 403
    assert (await fetched("PUT", made.url, dict(made.headers), b"longer"))[0] == 400
    assert (await fetched("PUT", made.url, dict(made.headers), b"new"))[0] == 200


PART_BYTES = 64 * 1024


async def test_more_parts_than_one_composition_takes(
    fake: GcsFake, store: GcsStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # How many parts there are is the point, and 160 MB of them say no more than two.
    monkeypatch.setattr(gcs_parts, "PART_BYTES_MIN", PART_BYTES)
    upload_id = await store.begin("a", Writing(content_type="text/plain", metadata={"k": "v"}))
    part = bytes(PART_BYTES)
    for number in range(1, 34):
        await store.put_part("a", upload_id, number, part)
    await store.put_part("a", upload_id, 34, b"end")

    info = await store.complete("a", upload_id, Writing(size_bytes=33 * PART_BYTES + 3))

    assert (info.size_bytes, info.content_type) == (33 * PART_BYTES + 3, "text/plain")
    assert await content_of(store, "a", byte_range=ByteRange(33 * PART_BYTES - 1)) == b"\0end"
    assert fake.remains("bucket") == 0


async def test_conditions_hold_when_parts_become_an_object(fake: GcsFake, store: GcsStore) -> None:
    upload_id = await store.begin("a", Writing())
    await store.put_part("a", upload_id, 1, b"part")
    await put(store, "a", b"first")
    with pytest.raises(PreconditionFailed):
        await store.complete("a", upload_id, Writing(only_if_absent=True))
    assert [part.size_bytes for part in await store.parts("a", upload_id)] == [4]
    await store.complete("a", upload_id, Writing(if_match=(await store.head("a")).etag))
    assert await content_of(store, "a") == b"part"


async def test_parts_of_uploads_are_nobodys_objects(store: GcsStore) -> None:
    upload_id = await store.begin("a", Writing())
    await store.put_part("a", upload_id, 1, b"part")
    private = ".interchange/uploads/x/00001"

    assert not (await store.page("")).objects and not (await store.page("", delimiter="/")).prefixes
    assert not (await store.versions("")).versions
    for asking in (store.open(private), put(store, private), store.delete(private), store.head(private)):
        with pytest.raises(ToolRefused):
            await asking


async def test_odd_versions_and_etags_are_told(store: GcsStore) -> None:
    await put(store, "a")
    with pytest.raises(InvalidParameters):
        await store.head("a", version_id="x&alt=media")
    for etag in ("another", "0", "-1", "٣"):
        with pytest.raises(PreconditionFailed):
            await store.put("a", chunks(b"x"), Writing(if_match=etag))
