"""Stores on the stand-in for Google Cloud Storage, and the account they use."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

import aiohttp
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.http.transport import StreamlinedTransport
from adapters.storage.gcs import GcsStore
from adapters.storage.gcs_credential import service_key
from adapters.storage.gcs_exchange import GcsPlace
from application.ports.object_store import PART_BYTES_MIN
from domain.vault.secret import SecretBytes
from tests.contract.gcs_fake import GcsFake

EMAIL = "agents@example.iam.gserviceaccount.com"


@lru_cache(maxsize=2)
def private_key(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def key_file(name: str = "right", key_id: str = "1") -> SecretBytes:
    """As Google hands it out."""
    pem = private_key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    said = {"type": "service_account", "client_email": EMAIL, "private_key_id": key_id}
    return SecretBytes(json.dumps({**said, "private_key": pem.decode()}).encode())


@asynccontextmanager
async def fake_gcs() -> AsyncIterator[GcsFake]:
    fake = GcsFake()
    fake.accounts[EMAIL] = private_key("right").public_key()
    async with fake.serving():
        yield fake


@asynccontextmanager
async def store_at(
    url: str,
    bucket: str = "bucket",
    key: SecretBytes | None = None,
    transport: StreamlinedTransport | None = None,
    **more: Any,
) -> AsyncIterator[GcsStore]:
    transport = StreamlinedTransport() if transport is None else transport
    options: dict[str, Any] = {"part_bytes": PART_BYTES_MIN, "now_s": time.time, **more}
    place = GcsPlace(bucket, url, f"{url}/token")
    store = GcsStore(
        place, service_key(key_file() if key is None else key), transport, options.pop("now_s"), **options
    )
    try:
        yield store
    finally:
        await store.aclose()
        await transport.aclose()


async def fetched(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers, data=body or None) as answer,
    ):
        return answer.status, await answer.read()
