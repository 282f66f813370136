"""Presigned addresses, signed once more by hand: no test server checks them.

The signature below is written from AWS's description ("Authenticating Requests: Using Query Parameters") and
held against the example published there.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from adapters.storage.s3 import S3Store
from adapters.storage.s3_session import S3Keys, S3Place

SECRET: Final = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # published by AWS, for examples
KEYS: Final = S3Keys("AKIAIOSFODNN7EXAMPLE", SECRET)
PUBLISHED: Final = (
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
    "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
)


def signature(method: str, url: str, headers: Mapping[str, str], secret: str) -> str:
    """What a server works out for itself."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("X-Amz-Signature")
    known = {"host": parts.netloc, **headers}
    signed = query["X-Amz-SignedHeaders"].split(";")
    canonical = "\n".join(
        [
            method,
            parts.path,
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
                for name, value in sorted(query.items())
            ),
            *(f"{name}:{known[name].strip()}" for name in signed),
            "",
            query["X-Amz-SignedHeaders"],
            "UNSIGNED-PAYLOAD",
        ]
    )
    _, day, region, service, end = query["X-Amz-Credential"].split("/")
    key = f"AWS4{secret}".encode()
    for step in (day, region, service, end):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    text = "\n".join(
        [
            query["X-Amz-Algorithm"],
            query["X-Amz-Date"],
            f"{day}/{region}/{service}/{end}",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise AssertionError("nothing connects to sign")


@pytest.fixture
async def store() -> AsyncIterator[S3Store]:
    store = S3Store(S3Place("examplebucket", "eu-west-1"), KEYS, nowhere)
    yield store
    await store.aclose()


def test_the_hand_made_signature_is_the_published_one() -> None:
    assert signature("GET", PUBLISHED, {}, SECRET) == query_of(PUBLISHED)["X-Amz-Signature"]


@pytest.mark.parametrize("key", ["test.txt", "a b/ü+%&=?#.txt", "日本/~x"])
async def test_addresses_to_read_are_signed_with_version_4(store: S3Store, key: str) -> None:
    made = await store.presign("GET", key, expires_s=60)

    query = query_of(made.url)
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "60"
    assert "/eu-west-1/s3/aws4_request" in query["X-Amz-Credential"]
    assert urlsplit(made.url).netloc == "examplebucket.s3.eu-west-1.amazonaws.com"
    assert urlsplit(made.url).path == "/" + quote(key, safe="/~")
    assert signature("GET", made.url, made.headers, SECRET) == query["X-Amz-Signature"]


async def test_method_key_expiry_and_host_are_part_of_what_is_signed(store: S3Store) -> None:
    made = await store.presign("GET", "team-a/x", expires_s=60)
    good = query_of(made.url)["X-Amz-Signature"]

    for method, url in (
        ("PUT", made.url),
        ("GET", made.url.replace("team-a", "team-b")),
        ("GET", made.url.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")),
        ("GET", made.url.replace("examplebucket", "otherbucket")),
    ):
        assert signature(method, url, made.headers, SECRET) != good


async def test_type_and_size_are_part_of_what_is_signed_to_write(store: S3Store) -> None:
    made = await store.presign("PUT", "x", expires_s=60, content_type="text/plain", size_bytes=12)

    assert made.headers == {"content-type": "text/plain", "content-length": "12"}
    signed = query_of(made.url)["X-Amz-SignedHeaders"].split(";")
    assert signed == ["content-length", "content-type", "host"]
    good = query_of(made.url)["X-Amz-Signature"]
    assert signature("PUT", made.url, made.headers, SECRET) == good
    assert signature("PUT", made.url, {**made.headers, "content-type": "text/html"}, SECRET) != good
    assert signature("PUT", made.url, {**made.headers, "content-length": "13"}, SECRET) != good


async def test_temporary_credentials_and_versions_are_signed_too() -> None:
    keys = S3Keys(KEYS.access_key_id, SECRET, "a session/token+==")
    store = S3Store(S3Place("examplebucket", "us-east-1"), keys, nowhere)

    made = await store.presign("GET", "x", expires_s=60, version_id="v1")

    query = query_of(made.url)
    assert (query["X-Amz-Security-Token"], query["versionId"]) == ("a session/token+==", "v1")
    assert signature("GET", made.url, made.headers, SECRET) == query["X-Amz-Signature"]
    await store.aclose()


async def test_a_server_of_ones_own_is_addressed_by_path() -> None:
    store = S3Store(
        S3Place("examplebucket", "us-east-1", "https://minio.example.com:9000", "path"), KEYS, nowhere
    )

    made = await store.presign("GET", "a/x", expires_s=60)

    assert made.url.startswith("https://minio.example.com:9000/examplebucket/a/x?")
    assert signature("GET", made.url, made.headers, SECRET) == query_of(made.url)["X-Amz-Signature"]
    await store.aclose()
