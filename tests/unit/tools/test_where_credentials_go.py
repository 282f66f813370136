"""What was entrusted to one side is not sent to another: which changes of a configuration lead elsewhere."""

from typing import Any

import pytest

from application.tools.forms import same_place
from domain.connectors.integration import Integration, IntegrationKind


def made(**configuration: Any) -> Integration:
    return Integration(
        tenant_id="acme",
        integration_id="store",
        kind=IntegrationKind.STORAGE,
        configuration={"authentication": {"type": "x"}, **configuration},
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"endpoint": "https://a.example"}, {"endpoint": "https://b.example"}),
        ({"endpoint": "https://a.example"}, {"endpoint": "http://a.example"}),
        ({"endpoint": "https://a.example"}, {"endpoint": "https://a.example:444"}),
        ({"endpoint": "s3://b"}, {"endpoint": "s3://b", "service_url": "https://evil.example"}),
        (
            {"endpoint": "gs://b", "service_url": "https://storage.googleapis.com"},
            {"endpoint": "gs://b", "service_url": "https://evil.example"},
        ),
        (
            {"endpoint": "gs://b", "token_url": "https://oauth2.googleapis.com/token"},
            {"endpoint": "gs://b", "token_url": "https://evil.example/token"},
        ),
        ({"endpoint": "azure://c", "account": "mine"}, {"endpoint": "azure://c", "account": "theirs"}),
        (
            {"endpoint": "https://a.example", "authentication": {"token_url": "https://a.example/t"}},
            {"endpoint": "https://a.example", "authentication": {"token_url": "https://b.example/t"}},
        ),
    ],
)
def test_another_side_is_another_place(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert not same_place(made(**before), made(**after))


def test_other_settings_of_the_same_side_are_not() -> None:
    before = made(endpoint="s3://b/one", service_url="https://s.example", read_only=True)
    after = made(endpoint="s3://b/two", service_url="https://S.example/", read_only=False)

    assert same_place(before, after)
