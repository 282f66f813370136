"""Reading what people write about an integration."""

from typing import Any

import pytest

from adapters.memory.connector import MemoryKind
from application.tools.forms import Asked, read_form, shown_configuration
from application.tools.kinds import ConnectorKinds
from domain.errors import InterchangeError, InvalidConfiguration, InvalidRequest
from tests.unit.connectors.integration_world import TOKEN, asked

KINDS = ConnectorKinds([MemoryKind({})])


def form(said: Asked) -> Any:
    return read_form(KINDS, said, "acme")


def test_secrets_leave_the_configuration() -> None:
    read = form(asked(circuit_breaker={"failure_threshold": 2}, region="eu"))

    assert read.given["token"].reveal() == TOKEN.encode()
    assert TOKEN not in repr(read)
    assert read.integration.configuration == {
        "endpoint": "memory://guarded",
        "authentication": {"type": "token"},
        "region": "eu",
    }
    assert read.integration.circuit_breaker == {"failure_threshold": 2}
    assert read.terms.breaker.consecutive_failures == 2


def test_a_credential_is_named_and_not_given() -> None:
    read = form(asked(token={"credential": "shared-token"}))

    assert (read.given, read.referenced) == ({}, {"token": "shared-token"})


def test_what_is_shown_can_be_sent_again() -> None:
    read = form(asked(token={"credential": "mine"}, circuit_breaker={"failure_threshold": 2}))
    kept = read.integration.__class__(
        **{
            name: getattr(read.integration, name)
            for name in ("tenant_id", "integration_id", "kind", "configuration", "circuit_breaker")
        },
        credentials={"token": "mine"},
    )

    again = form(Asked("box", "storage", shown_configuration(kept)))

    assert again.integration.configuration == read.integration.configuration
    assert again.referenced == {"token": "mine"}
    assert again.integration.circuit_breaker == read.integration.circuit_breaker


def configured(**changed: Any) -> Asked:
    usual = {"endpoint": "memory://x", "authentication": {"type": "none"}}
    return Asked("box", "storage", {**usual, **changed})


@pytest.mark.parametrize(
    ("said", "param"),
    [
        (Asked("box", "cellar", {}), "type"),
        (Asked("box", None, {}), "type"),
        (Asked("box", "database", configured().configuration), "type"),
        (Asked("box", "storage", None), "configuration"),
        (Asked("box", "storage", []), "configuration"),
        (Asked("box", "storage", {}), "configuration.endpoint"),
        (configured(endpoint=7), "configuration.endpoint"),
        (configured(endpoint="memory"), "configuration.endpoint"),
        (configured(endpoint="memory://x\n"), "configuration.endpoint"),
        (configured(endpoint="memory://[x"), "configuration.endpoint"),
        (configured(endpoint="memory://u:hunter2@x"), "configuration.endpoint"),
        (configured(endpoint="ftp://x"), "configuration.endpoint"),
        (configured(endpoint="memory://" + "x" * 2050), "configuration.endpoint"),
        (configured(authentication=None), "configuration.authentication"),
        (configured(authentication="none"), "configuration.authentication"),
        (configured(circuit_breaker=5), "configuration.circuit_breaker"),
        (configured(circuit_breaker={"fuse": 5}), "configuration.circuit_breaker.fuse"),
        (configured(max_concurrency=0), "configuration.max_concurrency"),
        (configured(cost_usd_per_call=-1), "configuration.cost_usd_per_call"),
        (configured(greeting="a\0b"), "configuration.greeting"),
        (configured(greeting=["\ud800"]), "configuration.greeting[0]"),
        (configured(greetings=1), "configuration.greetings"),
        (configured(greeting="x" * 1_100_000), "configuration"),
        (asked(token=7), "configuration.authentication.token"),
        (asked(token=""), "configuration.authentication.token"),
        (asked(token="x" * 70_000), "configuration.authentication.token"),
        (asked(token={"credential": "NO SUCH"}), "configuration.authentication.token"),
        (configured()._replace(monitoring=[1]), "monitoring"),
        (configured()._replace(monitoring={"interval_s": 1}), "monitoring.interval_s"),
    ],
)
def test_what_cannot_work_is_named_by_its_path(said: Asked, param: str) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        form(said)

    assert refused.value.param == param
    assert "hunter2" not in refused.value.message


def test_an_id_that_is_none_is_no_request() -> None:
    with pytest.raises(InvalidRequest):
        form(asked("Not An Id"))


def test_nested_beyond_measure_is_refused() -> None:
    value: Any = "x"
    for _ in range(100):
        value = [value]

    with pytest.raises(InterchangeError):
        form(configured(greeting=value))
