"""Master keys in the transit engine, against a strict one on loopback."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.vault_transit.keys import TransitKeys, token_from
from application.ports.vault import KeyEncryption
from contracts.ports.key_encryption import (
    ADDRESS,
    DATA_KEY,
    LATER,
    KeyEncryptionContract,
    UnreachableKeysContract,
)
from domain.errors import CredentialDamaged, InvalidRequest, VaultLocked
from domain.vault.secret import SecretBytes
from tests.identity.transit_server import TOKEN, TransitServer, transit_server

RECORDED = json.loads((Path(__file__).parents[2] / "contracts/wire/vault/transit.json").read_text())


@pytest.fixture
async def server() -> AsyncIterator[TransitServer]:
    async with transit_server() as running:
        yield running


@pytest.fixture
async def transport() -> AsyncIterator[StreamlinedTransport]:
    transport = StreamlinedTransport()
    yield transport
    await transport.aclose()


def keys_at(url: str, transport: StreamlinedTransport, token: str = TOKEN) -> TransitKeys:
    return TransitKeys(
        transport,
        url=url,
        mount="transit",
        key_name="interchange",
        namespace=None,
        token=token_from(token, None),
        timeout_s=5.0,
    )


class TestTransitKeys(KeyEncryptionContract, UnreachableKeysContract):
    @pytest.fixture
    def keys(self, server: TransitServer, transport: StreamlinedTransport) -> KeyEncryption:
        server.versions.pop(2)
        return keys_at(server.base_url, transport)

    @pytest.fixture
    def unreachable_keys(self, server: TransitServer, transport: StreamlinedTransport) -> KeyEncryption:
        server.sealed = True
        return keys_at(server.base_url, transport)


async def test_it_asks_what_is_published(server: TransitServer, transport: StreamlinedTransport) -> None:
    keys = keys_at(server.base_url, transport)
    listed = await keys.keys()
    primary, oldest = listed.keys
    context = ADDRESS.context(primary.key_id, "key")
    wrapped = await keys.wrap(primary.key_id, SecretBytes(DATA_KEY), context)
    await keys.unwrap(primary.key_id, wrapped, context)
    await keys.add_key(LATER)
    await keys.drop_key(oldest.key_id)

    told = [each for each in server.asked if each["method"] == "POST" or each is server.asked[0]]
    for asked, recorded in zip(told, [each["request"] for each in RECORDED["exchanges"]], strict=True):
        assert (asked["method"], asked["path"]) == (recorded["method"], recorded["path"])
        expected = dict(recorded.get("body") or {})
        sent = dict(asked["body"] or {})
        if "associated_data" in expected:
            assert b"openai" in base64.b64decode(sent.pop("associated_data"))
            del expected["associated_data"]
        if "ciphertext" in expected:
            assert sent.pop("ciphertext").startswith("vault:v2:")
            del expected["ciphertext"]
        assert sent == expected


async def test_a_version_that_is_archived_locks_and_one_that_was_changed_is_damaged(
    server: TransitServer, transport: StreamlinedTransport
) -> None:
    keys = keys_at(server.base_url, transport)
    old = (await keys.keys()).keys[-1].key_id
    context = ADDRESS.context(old, "key")
    wrapped = await keys.wrap(old, SecretBytes(DATA_KEY), context)
    with pytest.raises(CredentialDamaged):
        await keys.unwrap(old, wrapped.replace(b"vault:v1:", b"vault:v2:"), context)

    server.oldest = 2

    with pytest.raises(VaultLocked):
        await keys.unwrap(old, wrapped, context)


async def test_a_wrong_token_locks_and_nothing_of_it_is_told(
    server: TransitServer, transport: StreamlinedTransport
) -> None:
    keys = keys_at(server.base_url, transport, token="hvs.4242")

    with pytest.raises(VaultLocked) as locked:
        await keys.keys()

    assert "403" in locked.value.message and "4242" not in locked.value.message


async def test_a_token_in_a_file_is_read_anew(
    server: TransitServer, transport: StreamlinedTransport, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    keys = TransitKeys(
        transport,
        url=server.base_url,
        mount="transit",
        key_name="interchange",
        namespace="team",
        token=token_from("", file),
        timeout_s=5.0,
    )
    with pytest.raises(VaultLocked):
        await keys.keys()
    file.write_text(f"{TOKEN}\n")

    assert (await keys.keys()).primary.key_id == "transit/transit/interchange/v2"


@pytest.mark.parametrize(
    "url", ["http://vault.internal:8200", "ftp://x", "https://user:pw@vault", "nonsense"]
)
def test_data_keys_travel_over_https_only(url: str) -> None:
    with pytest.raises(InvalidRequest):
        keys_at(url, StreamlinedTransport())
