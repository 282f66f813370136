"""Google's own client against our stand-in and our signatures: both have to mean what Google means."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.storage._signing import generate_signed_url_v4
from google.oauth2 import service_account

from adapters.storage.gcs_credential import Signing, service_key, signed_query
from contracts.ports.object_store import LARGE
from tests.contract.gcs_fake import GcsFake
from tests.contract.gcs_fake_signatures import Asked
from tests.contract.gcs_world import fake_gcs, key_file


@pytest.fixture
async def fake() -> AsyncIterator[GcsFake]:
    async with fake_gcs() as fake:
        fake.make_bucket("bucket")

        async def lent(asked: Asked) -> None:
            """The client asks Google itself for tokens: here it is nobody, and let in all the same."""
            asked.headers["authorization"] = "Bearer lent"

        fake.tokens["lent"] = time.time() + 600
        fake.script = lent
        yield fake


def used(url: str) -> dict[str, Any]:
    """The life of some objects, as the client does it."""
    nobody: Any = AnonymousCredentials
    anonymous = nobody()
    client = storage.Client(project="p", credentials=anonymous, client_options={"api_endpoint": url})
    bucket = client.bucket("bucket")
    seen: dict[str, Any] = {}
    small = bucket.blob("folder/a ü.txt")
    small.metadata = {"k": "wörd"}
    small.upload_from_string(b"hello", content_type="text/plain", checksum="crc32c", if_generation_match=0)
    large = bucket.blob("large", chunk_size=5 * 1024 * 1024)
    large.upload_from_string(LARGE, checksum="crc32c")
    seen["large"] = bucket.blob("large").download_as_bytes(checksum="crc32c") == LARGE
    seen["range"] = bucket.blob("large").download_as_bytes(start=1, end=3, checksum=None)
    found = bucket.get_blob("folder/a ü.txt")
    seen["about"] = (found.size, found.content_type, found.metadata, found.generation > 0)
    try:
        small.upload_from_string(b"x", if_generation_match=1)
    except PreconditionFailed:
        seen["condition"] = True
    bucket.blob("copy").rewrite(found)
    bucket.blob("both").compose([bucket.blob("copy"), found])
    seen["both"] = bucket.blob("both").download_as_bytes(checksum="crc32c")
    seen["names"] = [each.name for each in client.list_blobs("bucket", page_size=2)]
    listed = client.list_blobs("bucket", delimiter="/")
    seen["top"] = ([each.name for each in listed], sorted(listed.prefixes))
    bucket.blob("copy").delete()
    seen["versions"] = len(list(client.list_blobs("bucket", prefix="copy", versions=True)))
    try:
        bucket.blob("copy").download_as_bytes()
    except NotFound:
        seen["gone"] = True
    return seen


async def test_the_stand_in_is_one_that_googles_client_can_use(fake: GcsFake) -> None:
    seen = await asyncio.to_thread(used, fake.url)

    assert seen == {
        "large": True,
        "range": LARGE[1:4],
        "about": (5, "text/plain", {"k": "wörd"}, True),
        "condition": True,
        "both": b"hellohello",
        "names": ["both", "copy", "folder/a ü.txt", "large"],
        "top": (["both", "copy", "large"], ["folder/"]),
        "versions": 1,
        "gone": True,
    }


@pytest.mark.parametrize(
    ("method", "key", "query", "headers"),
    [
        ("GET", "a b/ü+%41?#~.txt", {}, {}),
        ("GET", "a", {"generation": "12"}, {}),
        ("PUT", "a", {}, {"content-type": "text/plain", "x-goog-content-length-range": "3,3"}),
    ],
)
def test_our_signatures_are_those_of_googles_client(
    method: str, key: str, query: dict[str, str], headers: dict[str, str]
) -> None:
    now_s = 1_700_000_000
    said = {**json.loads(key_file().reveal()), "token_uri": "https://oauth2.googleapis.com/token"}
    account: Any = service_account.Credentials
    credentials = account.from_service_account_info(said)
    theirs = generate_signed_url_v4(
        credentials,
        resource=f"/bucket/{quote(key, safe='/~')}",
        expiration=60,
        method=method,
        headers=dict(headers),
        query_parameters=dict(query),
        _request_timestamp=datetime.fromtimestamp(now_s, UTC).strftime("%Y%m%dT%H%M%SZ"),
    )

    signing = Signing(method, "storage.googleapis.com", f"/bucket/{key}", query, headers, 60)
    ours = signed_query(service_key(key_file()), signing, now_s)

    assert dict(_pairs(ours)) == dict(_pairs(theirs.partition("?")[2]))


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query)
