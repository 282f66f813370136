"""What integrations of storage may say, and who may say it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adapters.storage.kind import StorageKind
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import InvalidConfiguration
from domain.tenancy.role import OPERATOR_TENANT
from domain.vault.secret import SecretBytes

KEY = {"type": "access_key", "access_key_id": "AKIAIOSFODNN7EXAMPLE"}


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise AssertionError


def surroundings(**secrets: bytes) -> Surroundings:
    opened = {name: SecretBytes(value) for name, value in secrets.items()}
    return Surroundings(transport=None, guard=nowhere, secrets=opened)  # type: ignore[arg-type]


def integration(tenant_id: str, declared: bool = False, **configuration: Any) -> Integration:
    return Integration(
        tenant_id=tenant_id,
        integration_id="files",
        kind=IntegrationKind.STORAGE,
        configuration=configuration,
        declared=declared,
    )


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"endpoint": "ftp://x"}, "endpoint"),
        ({"endpoint": "s3://UPPER"}, "endpoint"),
        ({"endpoint": "s3://user:pw@bucket"}, "endpoint"),
        ({"endpoint": "s3://bucket?x=1"}, "endpoint"),
        ({"endpoint": "s3://bucket/../other"}, "endpoint"),
        ({"endpoint": "s3://bucket/a//b"}, "endpoint"),
        ({"endpoint": "s3://[::1"}, "endpoint"),
        ({"service_url": "ftp://x"}, "service_url"),
        ({"service_url": "https://user:pw@x"}, "service_url"),
        ({"service_url": "https://x/path"}, "service_url"),
        ({"service_url": "https://x:99999"}, "service_url"),
        ({"aws_region": "../x"}, "aws_region"),
        ({"unknown": 1}, "unknown"),
        ({"part_bytes": 1}, "part_bytes"),
        ({"presign_expires_s_max": 604_801}, "presign_expires_s_max"),
        ({"operations": ["fly"]}, "operations.0"),
        ({"operations": ["read"], "read_only": True}, "operations"),
        ({"content_types": ["text"]}, "content_types"),
        ({"authentication": {"type": "password"}}, "authentication.type"),
        ({"authentication": {**KEY, "secret_access_key": "s3cret", "more": 1}}, "authentication.more"),
    ],
)
def test_mistakes_are_named(said: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        StorageKind().validate({"endpoint": "s3://bucket/a", "authentication": KEY, **said})
    assert caught.value.param == param
    assert "s3cret" not in caught.value.message and "pw" not in caught.value.message


def test_secrets_are_known_by_their_fields() -> None:
    kind = StorageKind()
    assert kind.secret_fields({"endpoint": "s3://bucket", "authentication": KEY}) == {
        "secret_access_key",
        "session_token",
    }
    assert not kind.secret_fields({"endpoint": "s3://bucket", "authentication": {"type": "ambient"}})
    assert not kind.secret_fields({"endpoint": "file:///x"})


async def test_common_keys_are_no_mistakes_and_secrets_are_needed_to_open() -> None:
    kind = StorageKind()
    said = integration("acme", endpoint="s3://bucket/a", authentication=KEY, region="eu", cost_usd_per_call=1)
    with pytest.raises(InvalidConfiguration, match="secret_access_key is missing"):
        kind.open(said, surroundings())
    opened = kind.open(said, surroundings(secret_access_key=b"s3cret"))
    assert "s3cret" not in repr(opened)
    assert "presign" in {tool.name for tool in opened.tools}
    await opened.aclose()


async def test_what_the_process_finds_around_itself_is_the_operators() -> None:
    kind = StorageKind()
    said: dict[str, Any] = {"endpoint": "s3://bucket", "authentication": {"type": "ambient"}}
    with pytest.raises(InvalidConfiguration, match="runs this installation"):
        kind.open(integration("acme", **said), surroundings())
    for allowed in (integration(OPERATOR_TENANT, **said), integration("acme", declared=True, **said)):
        await kind.open(allowed, surroundings()).aclose()


async def test_folders_are_those_the_operator_opened(tmp_path: Path) -> None:
    inside, outside = tmp_path / "open" / "a", tmp_path / "closed"
    inside.mkdir(parents=True)
    outside.mkdir()
    (tmp_path / "open" / "link").symlink_to(outside)
    kind = StorageKind(folders=lambda: [tmp_path / "open"])

    await kind.open(integration(OPERATOR_TENANT, endpoint=f"file://{inside}"), surroundings()).aclose()

    for folder in (outside, tmp_path, tmp_path / "open" / "link", tmp_path / "open" / ".." / "closed"):
        with pytest.raises(InvalidConfiguration):
            kind.validate({"endpoint": f"file://{folder}"})
    with pytest.raises(InvalidConfiguration):
        kind.validate({"endpoint": "file://host/share"})
    with pytest.raises(InvalidConfiguration):
        StorageKind().validate({"endpoint": f"file://{inside}"})
    with pytest.raises(InvalidConfiguration, match="runs this installation"):
        kind.open(integration("acme", endpoint=f"file://{inside}"), surroundings())
