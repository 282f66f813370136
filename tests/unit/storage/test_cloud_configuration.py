"""What integrations of Azure and Google Cloud Storage may say."""

from typing import Any

import pytest

from adapters.storage.kind import StorageKind
from domain.errors import InvalidConfiguration
from tests.unit.storage.test_configuration import integration, surroundings

AZURE: dict[str, Any] = {
    "endpoint": "azure://container/a",
    "account": "acme1",
    "authentication": {"type": "account_key"},
}
GOOGLE: dict[str, Any] = {"endpoint": "gs://bucket/a", "authentication": {"type": "service_account"}}


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"endpoint": "azure://UPPER"}, "endpoint"),
        ({"endpoint": "azure://a--b"}, "endpoint"),
        ({"endpoint": "azure://container/../x"}, "endpoint"),
        ({"account": "acme.evil.example/x"}, "account"),
        ({"account": None}, "account"),
        ({"service_url": "https://user:pw@x"}, "service_url"),
        ({"service_url": "https://x/other"}, "service_url"),
        ({"service_url": "https://x?sig=s3cret"}, "service_url"),
        (
            {"authentication": {"type": "account_key", "account_key": "s3cret", "more": 1}},
            "authentication.more",
        ),
        ({"authentication": {"type": "none"}}, "authentication"),
        ({"aws_region": "x"}, "aws_region"),
    ],
)
def test_mistakes_about_azure_are_named(said: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        StorageKind().validate({**AZURE, **said})
    assert str(caught.value.param).startswith(param)
    assert "s3cret" not in caught.value.message and "pw" not in caught.value.message


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"endpoint": "gs://B"}, "endpoint"),
        ({"endpoint": "gs://bucket/a//b"}, "endpoint"),
        ({"service_url": "https://x/path"}, "service_url"),
        ({"token_url": "https://user:pw@x/token"}, "token_url"),
        ({"token_url": "https://x/token?key=s3cret"}, "token_url"),
        ({"token_url": "/token"}, "token_url"),
        ({"authentication": {"type": "service_account", "token": "s3cret"}}, "authentication.token"),
    ],
)
def test_mistakes_about_google_are_named(said: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        StorageKind().validate({**GOOGLE, **said})
    assert str(caught.value.param).startswith(param)
    assert "s3cret" not in caught.value.message and "pw" not in caught.value.message


def test_good_ones_pass_and_their_secrets_are_known() -> None:
    kind = StorageKind()
    for said in (
        AZURE,
        {**AZURE, "endpoint": "azblob://container"},
        {**AZURE, "service_url": "http://127.0.0.1:10000/acme1"},
        {**AZURE, "authentication": {"type": "sas"}, "versions": True},
        GOOGLE,
        {**GOOGLE, "authentication": {"type": "none"}},
    ):
        kind.validate(said)
    assert kind.secret_fields(AZURE) == {"account_key"}
    assert kind.secret_fields({**AZURE, "authentication": {"type": "sas"}}) == {"sas_token"}
    assert kind.secret_fields(GOOGLE) == {"key"}
    assert not kind.secret_fields({**GOOGLE, "authentication": {"type": "none"}})


@pytest.mark.parametrize(
    ("said", "secrets", "param"),
    [
        (AZURE, {}, "authentication.account_key"),
        (AZURE, {"account_key": b"no base64: s3cret"}, "authentication.account_key"),
        ({**AZURE, "authentication": {"type": "sas"}}, {"sas_token": b"s3cret"}, "authentication.sas_token"),
        (GOOGLE, {}, "authentication.key"),
        (GOOGLE, {"key": b"s3cret"}, "authentication.key"),
        (GOOGLE, {"key": b'{"private_key": "s3cret", "client_email": "a@b"}'}, "authentication.key"),
        (GOOGLE, {"key": b"[]"}, "authentication.key"),
    ],
)
async def test_secrets_that_can_never_work_are_refused(
    said: dict[str, Any], secrets: dict[str, bytes], param: str
) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        StorageKind().open(integration("acme", **said), surroundings(**secrets))
    assert caught.value.param == param
    assert "s3cret" not in f"{caught.value.message} {caught.value.details}"


async def test_without_a_key_nothing_is_signed() -> None:
    kind = StorageKind()
    for said, secrets in (
        ({**AZURE, "authentication": {"type": "sas"}}, {"sas_token": b"?sv=1&sig=s3cret"}),
        ({**GOOGLE, "authentication": {"type": "none"}}, {}),
    ):
        opened = kind.open(integration("acme", **said), surroundings(**secrets))
        assert "presign" not in {tool.name for tool in opened.tools}
        assert "s3cret" not in repr(opened)
        await opened.aclose()
