"""What servers of S3 can do wrong, from a server whose every answer is written here."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from adapters.storage.s3 import S3Store
from adapters.storage.s3_session import S3Keys, S3Place
from application.ports.connector import AddressGuard
from application.ports.object_store import ByteRange, Writing
from contracts.ports.object_store import chunks, content_of, rest_of
from domain.errors import (
    ChecksumMismatch,
    EgressRefused,
    IntegrationUnavailable,
    InterchangeError,
    ToolFailed,
)

SECRET = "not-to-be-seen-anywhere"
KEYS = S3Keys("AKIAIOSFODNN7EXAMPLE", SECRET)


class Asked:
    """One request as the server got it."""

    def __init__(self, head: str, body: bytes) -> None:
        first, *lines = head.split("\r\n")
        self.method, self.target, _ = first.split(" ")
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        self.body = body


Script = Callable[[Asked], Awaitable[bytes]]


class Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self.asked: list[Asked] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode()
                said = Asked(head, b"").headers
                size = said.get("content-length", "0")
                if said.get("expect") == "100-continue":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                asked = Asked(head, await reader.readexactly(int(size)))
                self.asked.append(asked)
                answer = await self._script(asked)
                writer.write(answer)
                await writer.drain()
                if b"connection: close" in answer:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Server]:
    server = Server(script)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()  # open connections end with their clients


def answer(status: str, body: bytes = b"", *, cut: int | None = None, **headers: str) -> bytes:
    """`cut`: only so much of the body comes, and the connection ends."""
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if cut is not None:
        lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode() + body[:cut]


def error(status: str, code: str, extra: str = "") -> bytes:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{SECRET}</Message>{extra}</Error>'
    return answer(status, text.encode(), content_type="application/xml")


async def anywhere(host: str, port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@asynccontextmanager
async def store_at(url: str, guard: AddressGuard = anywhere) -> AsyncIterator[S3Store]:
    store = S3Store(S3Place("bucket", "eu-central-1", url, "path"), KEYS, guard)
    try:
        yield store
    finally:
        await store.aclose()


CONTENT = bytes(range(256)) * 4096


def whole(asked: Asked, content: bytes, etag: str, cut: int | None) -> bytes:
    """As S3 answers a GET, ranges included."""
    said = asked.headers.get("range")
    if asked.headers.get("if-match") not in (None, f'"{etag}"'):
        return error("412 Precondition Failed", "PreconditionFailed")
    if said is None:
        return answer("200 OK", content, cut=cut, etag=f'"{etag}"')
    start, _, end = said.removeprefix("bytes=").partition("-")
    part = content[int(start) : int(end) + 1 if end else None]
    return answer(
        "206 Partial Content",
        part,
        cut=cut,
        etag=f'"{etag}"',
        content_range=f"bytes {start}-{int(start) + len(part) - 1}/{len(content)}",
    )


async def test_a_download_that_breaks_is_taken_up_where_it_broke() -> None:
    tries = 0

    async def script(asked: Asked) -> bytes:
        nonlocal tries
        tries += 1
        return whole(asked, CONTENT, "one", 300_000 if tries < 3 else None)

    async with serving(script) as server, store_at(server.url) as store:
        assert await content_of(store, "a") == CONTENT
        assert [asked.headers.get("if-match") for asked in server.asked] == [None, '"one"', '"one"']
        tries = 0
        part = await content_of(store, "a", byte_range=ByteRange(1000, 700_000))
        assert part == CONTENT[1000:701_000]


async def test_an_object_that_changed_meanwhile_is_not_mixed() -> None:
    versions = ["one", "two"]

    async def script(asked: Asked) -> bytes:
        etag = versions.pop(0) if len(versions) > 1 else versions[0]
        return whole(asked, CONTENT if etag == "one" else CONTENT[::-1], etag, 300_000)

    async with serving(script) as server, store_at(server.url) as store:
        stream = await store.open("a")
        with pytest.raises(ToolFailed, match="changed"):
            await rest_of(stream)


async def test_a_server_that_ignores_conditions_does_not_mix_either() -> None:
    sizes = [len(CONTENT), 400_000]

    async def script(asked: Asked) -> bytes:
        asked.headers.pop("if-match", None)
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        return whole(asked, CONTENT[:size], "one", 300_000)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(ToolFailed, match="changed"):
            await content_of(store, "a")


async def test_a_download_that_always_breaks_ends() -> None:
    async def script(asked: Asked) -> bytes:
        return whole(asked, CONTENT, "one", 10)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(ToolFailed, match="broke off"):
            await content_of(store, "a")


async def test_bytes_that_were_damaged_are_noticed() -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()

    async def script(asked: Asked) -> bytes:
        return answer("200 OK", CONTENT[:-1] + b"x", etag='"one"', x_amz_meta_interchange_sha256=digest)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(ChecksumMismatch):
            await content_of(store, "a")


@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_redirects_lead_nowhere(status: str) -> None:
    visited: list[Asked] = []

    async def elsewhere(asked: Asked) -> bytes:
        visited.append(asked)
        return answer("200 OK", b"metadata", etag='"x"')

    async with serving(elsewhere) as other:

        async def script(asked: Asked) -> bytes:
            return answer(status, location=f"{other.url}/latest/meta-data/")

        async with serving(script) as server, store_at(server.url) as store:
            for asking in (store.open("a"), store.head("a"), store.page("")):
                with pytest.raises(InterchangeError):
                    await asking

    assert not visited


async def test_a_bucket_in_another_region_is_named() -> None:
    async def script(asked: Asked) -> bytes:
        extra = "<Endpoint>bucket.s3.us-west-2.amazonaws.com</Endpoint><Region>us-west-2</Region>"
        return error("301 Moved Permanently", "PermanentRedirect", extra)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(IntegrationUnavailable, match="region"):
            await store.page("")


async def test_every_address_is_judged_before_anything_connects() -> None:
    asked: list[tuple[str, int]] = []

    async def nowhere(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        raise EgressRefused(f"connections to {host}:{port} are not allowed here")

    for url, judged in (
        ("http://127.0.0.1:9", ("127.0.0.1", 9)),
        ("http://[::1]:9", ("::1", 9)),
        ("http://localhost:9", ("localhost", 9)),
        ("http://169.254.169.254", ("169.254.169.254", 80)),
        ("https://storage.example.com", ("storage.example.com", 443)),
    ):
        async with store_at(url, nowhere) as store:
            with pytest.raises(EgressRefused):
                await store.page("")
            assert asked == [judged]
            asked.clear()


async def test_a_name_is_connected_to_at_the_address_that_was_judged() -> None:
    async def script(asked: Asked) -> bytes:
        return answer("200 OK", b"<ListBucketResult></ListBucketResult>")

    async with serving(script) as server:
        port = server.url.rpartition(":")[2]
        async with store_at(f"http://storage.example.com:{port}") as store:
            assert (await store.page("")).objects == []
            assert server.asked[0].headers["host"] == f"storage.example.com:{port}"


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        ("403 Forbidden", "ExpiredToken", IntegrationUnavailable),
        ("400 Bad Request", "ExpiredToken", IntegrationUnavailable),
        ("403 Forbidden", "AccessDenied", ToolFailed),
        ("404 Not Found", "NoSuchBucket", IntegrationUnavailable),
        ("400 Bad Request", "BadDigest", ChecksumMismatch),
        ("503 Service Unavailable", "SlowDown", IntegrationUnavailable),
        ("418 Teapot", "Odd", ToolFailed),
    ],
)
async def test_refusals_are_told_apart_and_leak_nothing(
    status: str, code: str, expected: type[InterchangeError]
) -> None:
    async def script(asked: Asked) -> bytes:
        return error(status, code)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(expected) as caught:
            await store.put("a", chunks(b"x"), Writing())
        assert SECRET not in f"{caught.value.message} {caught.value.details}"


async def test_a_conditional_write_that_was_repeated_does_not_claim_to_know() -> None:
    answers = [error("503 Service Unavailable", "SlowDown"), error("412 Failed", "PreconditionFailed")]

    async def script(asked: Asked) -> bytes:
        return answers.pop(0)

    async with serving(script) as server, store_at(server.url) as store:
        with pytest.raises(ToolFailed, match="earlier try"):
            await store.put("a", chunks(b"x"), Writing(only_if_absent=True))


async def test_garbage_is_an_error_of_the_other_side() -> None:
    async def script(asked: Asked) -> bytes:
        return answer("200 OK", b"<html>not S3</html>")

    async with serving(script) as server, store_at(server.url) as store:
        try:
            page = await store.page("")
        except InterchangeError:
            pass
        else:
            assert not page.objects
