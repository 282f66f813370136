"""Master keys in AWS KMS, against moto's on loopback, which enforces the encryption context."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from aiobotocore.session import get_session
from moto.server import ThreadedMotoServer

from adapters.aws.kms import KmsKeys
from application.ports.vault import KeyEncryption
from contracts.ports.key_encryption import (
    ADDRESS,
    DATA_KEY,
    KeyEncryptionContract,
    UnreachableKeysContract,
)
from domain.errors import VaultLocked
from domain.vault.secret import SecretBytes

REGION = "eu-central-1"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # Otherwise each client reads a whole store of certificates, for plain HTTP as well.
    monkeypatch.setenv("AWS_CA_BUNDLE", os.environ["SSL_CERT_FILE"])


_made: dict[str, list[str]] = {}


async def keys_at(url: str) -> list[str]:
    """Two keys of this server's KMS, where tests change nothing: made once."""
    if url not in _made:
        async with get_session().create_client("kms", region_name=REGION, endpoint_url=url) as client:
            made = [await client.create_key() for _ in range(2)]
        _made[url] = [str(each["KeyMetadata"]["Arn"]) for each in made]
    return _made[url]


class TestKmsKeys(KeyEncryptionContract, UnreachableKeysContract):
    @pytest.fixture
    async def keys(self, moto: str) -> AsyncIterator[KeyEncryption]:
        keys = KmsKeys(await keys_at(moto), region=REGION, endpoint_url=moto, timeout_s=10.0)
        yield keys
        await keys.aclose()

    @pytest.fixture
    async def unreachable_keys(self) -> AsyncIterator[KeyEncryption]:
        keys = KmsKeys(["k1"], region=REGION, endpoint_url="http://127.0.0.1:9", timeout_s=2.0)
        yield keys
        await keys.aclose()


async def test_keys_are_known_by_arn_and_say_when_they_were_made(moto: str) -> None:
    arn, _ = await keys_at(moto)
    keys = KmsKeys([arn], region=REGION, endpoint_url=moto, timeout_s=10.0)

    listed = await keys.keys()

    assert listed.primary.key_id == arn and listed.primary.made_at is not None
    assert not listed.makes_keys
    await keys.aclose()


async def test_what_the_vault_keeps_for_itself_has_no_tenant_and_still_a_context(moto: str) -> None:
    arn, _ = await keys_at(moto)
    keys = KmsKeys([arn], region=REGION, endpoint_url=moto, timeout_s=10.0)
    nobodys = ADDRESS._replace(tenant_id="").context(arn, "key")

    wrapped = await keys.wrap(arn, SecretBytes(DATA_KEY), nobodys)

    assert (await keys.unwrap(arn, wrapped, nobodys)).reveal() == DATA_KEY
    await keys.aclose()


async def test_a_key_that_is_gone_locks(moto: str) -> None:
    keys = KmsKeys(["alias/none"], region=REGION, endpoint_url=moto, timeout_s=10.0)

    with pytest.raises(VaultLocked, match="NotFound"):
        await keys.keys()
    await keys.aclose()
