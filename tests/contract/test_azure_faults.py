"""What servers of Azure can do wrong, from a server whose every answer is written here."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from adapters.storage.azure import AzureStore
from adapters.storage.azure_session import AzureKeys, AzurePlace
from adapters.storage.azure_words import heard_metadata, sent_metadata
from application.ports.connector import AddressGuard
from application.ports.object_store import Writing
from contracts.ports.object_store import chunks, content_of, put, rest_of
from domain.errors import (
    ChecksumMismatch,
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    InvalidParameters,
    ObjectNotFound,
    PreconditionFailed,
    RangeNotSatisfiable,
    ToolFailed,
    ToolRefused,
)
from domain.vault.secret import SecretText
from tests.contract.test_s3_faults import Asked, answer, anywhere, serving

SECRET = "not-to-be-seen-anywhere"
KEYS = AzureKeys(account_key=SecretText(base64.b64encode(SECRET.encode()).decode()))
CONTENT = bytes(range(256)) * 4096
DATE = "Sat, 21 Nov 2026 16:00:00 GMT"


@asynccontextmanager
async def store_at(url: str, guard: AddressGuard = anywhere, **more: Any) -> AsyncIterator[AzureStore]:
    store = AzureStore(AzurePlace("account", "container", url), KEYS, guard, lambda: 1_700_000_000.0, **more)
    try:
        yield store
    finally:
        await store.aclose()


def refusal(status: str, code: str, **headers: Any) -> bytes:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{SECRET}</Message></Error>'
    return answer(status, text.encode(), content_type="application/xml", x_ms_error_code=code, **headers)


def part(asked: Asked, content: bytes, etag: str, cut: int | None = None, **more: Any) -> bytes:
    """As Azure answers a GET with a range."""
    if asked.headers.get("if-match") not in (None, f'"{etag}"'):
        return refusal("412 Precondition Failed", "ConditionNotMet")
    said = asked.headers.get("x-ms-range") or asked.headers.get("range") or "bytes=0-"
    start, _, end = said.removeprefix("bytes=").partition("-")
    found = content[int(start) : int(end) + 1 if end else None]
    return answer(
        "206 Partial Content",
        found,
        cut=cut,
        etag=f'"{etag}"',
        last_modified=DATE,
        x_ms_blob_type="BlockBlob",
        content_range=f"bytes {start}-{int(start) + len(found) - 1}/{len(content)}",
        **more,
    )


async def test_a_download_comes_in_segments_of_one_object() -> None:
    async def script(asked: Asked) -> bytes:
        return part(asked, CONTENT, "one")

    async with serving(script) as server, store_at(server.url, segment_bytes=400_000) as store:
        assert await content_of(store, "a") == CONTENT
        assert [asked.headers.get("if-match") for asked in server.asked] == [None, '"one"', '"one"']


async def test_an_object_that_changed_meanwhile_is_not_mixed() -> None:
    etags = ["one", "two"]

    async def script(asked: Asked) -> bytes:
        etag = etags.pop(0) if len(etags) > 1 else etags[0]
        return part(asked, CONTENT, etag)

    async with serving(script) as server, store_at(server.url, segment_bytes=400_000) as store:
        stream = await store.open("a")
        with pytest.raises(ToolFailed, match="changed"):
            await rest_of(stream)


async def test_a_server_that_ignores_conditions_does_not_mix_either() -> None:
    sizes = [len(CONTENT), 500_000]

    async def script(asked: Asked) -> bytes:
        asked.headers.pop("if-match", None)
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        return part(asked, CONTENT[:size], "one")

    async with serving(script) as server, store_at(server.url, segment_bytes=400_000) as store:
        with pytest.raises(ToolFailed, match="changed"):
            await content_of(store, "a")


async def test_a_segment_that_was_cut_is_asked_for_again() -> None:
    tries = 0

    async def script(asked: Asked) -> bytes:
        nonlocal tries
        tries += 1
        return part(asked, CONTENT, "one", 1000 if tries == 2 else None)

    async with serving(script) as server, store_at(server.url, segment_bytes=600_000) as store:
        assert await content_of(store, "a") == CONTENT


async def test_bytes_that_were_damaged_are_noticed() -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()

    async def script(asked: Asked) -> bytes:
        found = part(asked, CONTENT[:-1] + b"x", "one", x_ms_meta_digest=digest)
        return found.replace(b"x-ms-meta-digest", b"x-ms-meta-interchange_sha256")

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(ChecksumMismatch):
            await content_of(store, "a")


@pytest.mark.parametrize("status", [429, 503])
async def test_a_busy_store_is_asked_again_when_it_says(status: int) -> None:
    left = 2

    async def script(asked: Asked) -> bytes:
        nonlocal left
        if left:
            left -= 1
            return refusal(f"{status} Busy", "ServerBusy", retry_after="0")
        if asked.method == "PUT":
            left = 2
            return answer("201 Created", etag='"one"', last_modified=DATE)
        return part(asked, CONTENT, "one")

    async with serving(script) as server, store_at(server.url) as store:
        await put(store, "a", only_if_absent=True)
        assert await content_of(store, "a") == CONTENT
        assert len(server.asked) == 6


async def test_a_store_that_stays_busy_says_when_to_come_back() -> None:
    async def script(asked: Asked) -> bytes:
        return answer("503 Busy", x_ms_error_code="ServerBusy", retry_after="30")

    async with serving(script) as server, store_at(server.url) as store:
        for asking in (store.head("a"), store.page(""), put(store, "a"), store.open("a")):
            server.asked.clear()
            with pytest.raises(IntegrationUnavailable) as caught:
                await asking
            assert caught.value.retry_after_s == 30 and len(server.asked) == 1


@pytest.mark.parametrize("conditional", [True, False])
async def test_only_what_may_be_done_twice_is_repeated_when_nobody_knows(conditional: bool) -> None:
    async def script(asked: Asked) -> bytes:
        return refusal("500 Internal", "InternalError")

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(IntegrationUnavailable):
            await put(store, "a", only_if_absent=conditional)
        assert len(server.asked) == (1 if conditional else 3)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_lead_nowhere(status: int) -> None:
    visited: list[Asked] = []

    async def elsewhere(asked: Asked) -> bytes:
        visited.append(asked)
        return part(asked, b"metadata", "x")

    async with serving(elsewhere) as other:

        async def script(asked: Asked) -> bytes:
            return answer(f"{status} Moved", location=f"{other.url}/latest/meta-data/")

        async with serving(script) as server, store_at(server.url) as store:
            for asking in (store.open("a"), store.head("a"), store.page(""), put(store, "a")):
                with pytest.raises(InterchangeError):
                    await asking
    assert not visited


async def test_every_address_is_judged_before_anything_connects() -> None:
    asked: list[tuple[str, int]] = []

    async def nowhere(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        raise EgressRefused(f"connections to {host}:{port} are not allowed here")

    for url, judged in (
        ("http://127.0.0.1:9/account", ("127.0.0.1", 9)),
        ("http://[::1]:9", ("::1", 9)),
        ("http://localhost:9", ("localhost", 9)),
        ("http://169.254.169.254", ("169.254.169.254", 80)),
        (None, ("account.blob.core.windows.net", 443)),
    ):
        async with store_at(url, nowhere) as store:  # type: ignore[arg-type]
            with pytest.raises(EgressRefused):
                await store.page("")
            assert asked == [judged]
            asked.clear()


async def test_a_name_is_connected_to_at_the_address_that_was_judged() -> None:
    async def script(asked: Asked) -> bytes:
        return part(asked, CONTENT, "one")

    async with serving(script) as server:
        port = server.url.rpartition(":")[2]
        async with store_at(f"http://storage.example.com:{port}") as store:
            assert await content_of(store, "a") == CONTENT
            assert server.asked[0].headers["host"] == f"storage.example.com:{port}"


async def test_a_store_that_hangs_is_given_up_or_left() -> None:
    hanging = asyncio.Event()

    async def script(asked: Asked) -> bytes:
        hanging.set()
        await asyncio.Event().wait()
        return b""

    async with serving(script) as server:
        async with store_at(server.url, read_timeout_s=0.05, tries=1) as store:
            with pytest.raises(IntegrationUnavailable):
                await store.head("a")
        hanging.clear()
        async with store_at(server.url) as store:
            asking = asyncio.create_task(store.head("a"))
            await asyncio.wait_for(hanging.wait(), 5)
            asking.cancel()
            await asyncio.wait([asking], timeout=5)
            assert asking.cancelled()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("403 Forbidden", "AuthenticationFailed", IntegrationUnavailable),
        ("403 Forbidden", "AuthorizationFailure", IntegrationUnavailable),
        ("403 Forbidden", "AuthorizationPermissionMismatch", ToolFailed),
        ("404 Not Found", "ContainerNotFound", IntegrationUnavailable),
        ("404 Not Found", "BlobNotFound", ObjectNotFound),
        ("409 Conflict", "BlobAlreadyExists", PreconditionFailed),
        ("412 Precondition Failed", "ConditionNotMet", PreconditionFailed),
        ("412 Precondition Failed", "LeaseIdMissing", ToolFailed),
        ("400 Bad Request", "Md5Mismatch", ChecksumMismatch),
        ("400 Bad Request", "InvalidInput", InvalidParameters),
        ("413 Too Large", "RequestBodyTooLarge", ToolRefused),
        ("416 Range", "InvalidRange", RangeNotSatisfiable),
        ("418 Teapot", "Odd", ToolFailed),
    ],
)
async def test_refusals_are_told_apart_and_leak_nothing(
    status: str, code: str, expected: type[InterchangeError]
) -> None:
    async def script(asked: Asked) -> bytes:
        return refusal(status, code)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(expected) as caught:
            await store.put("a", chunks(b"x"), Writing())
        assert type(caught.value) is expected
        assert SECRET not in f"{caught.value.message} {caught.value.details}"


async def test_garbage_is_an_error_of_the_other_side() -> None:
    async def script(asked: Asked) -> bytes:
        return answer("200 OK", b"<html>not Azure", content_type="application/xml")

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(InterchangeError):
            await store.page("")
        with pytest.raises(InterchangeError):
            await content_of(store, "a")


def about(copying: str) -> bytes:
    more: dict[str, Any] = {
        "x_ms_copy_id": "c-1",
        "x_ms_copy_status": copying,
        "x_ms_copy_source": "http://x",
    }
    return answer("200 OK", etag='"one"', last_modified=DATE, x_ms_blob_type="BlockBlob", **more)


async def test_a_copy_that_is_made_beside_is_waited_for() -> None:
    states = ["pending", "success"]

    async def script(asked: Asked) -> bytes:
        if asked.method == "HEAD":
            return about("success" if asked.target.startswith("/container/a") else states.pop(0))
        return answer("202 Accepted", etag='"one"', x_ms_copy_id="c-1", x_ms_copy_status="pending")

    async with serving(script) as server, store_at(server.url) as store:
        assert (await store.copy("a", "b")).key == "b"
        assert not states


async def test_a_copy_whose_caller_leaves_is_stopped() -> None:
    polled = asyncio.Event()

    async def script(asked: Asked) -> bytes:
        if asked.method == "HEAD":
            if asked.target.startswith("/container/b"):
                polled.set()
            return about("pending")
        if "comp=copy" in asked.target:
            return answer("204 No Content")
        return answer("202 Accepted", etag='"one"', x_ms_copy_id="c-1", x_ms_copy_status="pending")

    async with serving(script) as server, store_at(server.url) as store:
        copying = asyncio.create_task(store.copy("a", "b"))
        await asyncio.wait_for(polled.wait(), 5)
        copying.cancel()
        await asyncio.wait([copying], timeout=5)
        assert any("comp=copy&copyid=c-1" in asked.target for asked in server.asked)


VERSIONS = """<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="container"><Blobs>
<Blob><Name>a</Name><VersionId>2026-01-01T00:00:00.0000000Z</VersionId><Properties>
<Content-Length>1</Content-Length><Etag>0x1</Etag>
<BlobType>BlockBlob</BlobType></Properties></Blob>
<Blob><Name>a</Name><VersionId>2026-02-01T00:00:00.0000000Z</VersionId>
<IsCurrentVersion>true</IsCurrentVersion><Properties><Content-Length>2</Content-Length><Etag>0x2</Etag>
<BlobType>BlockBlob</BlobType></Properties></Blob></Blobs><NextMarker/></EnumerationResults>"""


async def test_versions_are_listed_newest_first_where_the_account_keeps_them() -> None:
    async def script(asked: Asked) -> bytes:
        if asked.method == "DELETE":
            return answer("202 Accepted")
        return answer("200 OK", VERSIONS.encode(), content_type="application/xml")

    async with serving(script) as server, store_at(server.url, versions=True) as store:
        listed = (await store.versions("a")).versions
        gone = await store.delete("a", version_id=listed[1].version_id)

        assert [(each.version_id[:7], each.latest, each.size_bytes) for each in listed] == [
            ("2026-02", True, 2),
            ("2026-01", False, 1),
        ]
        assert not gone.marker and "versionid=2026-01-01T00" in server.asked[-1].target
        assert (await store.delete("a")).marker


@pytest.mark.parametrize("name", ["plain", "note-2", "a_b", "a-b_c", "interchange_x_y", "a_2d", "a-_-b"])
def test_names_of_metadata_become_identifiers_and_come_back(name: str) -> None:
    sent = sent_metadata({name: "Zoë =?x"}, "")
    assert all(each.isidentifier() for each in sent)
    assert all(value.isascii() for value in sent.values())
    assert heard_metadata(sent) == {name: "Zoë =?x"}
