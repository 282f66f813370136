"""Configurations of databases that can never work are refused, with the path of what is wrong."""

from collections.abc import Mapping
from typing import Any

import pytest

from adapters.databases.kind import SERVED, DatabaseKind
from application.ports.connector import Surroundings
from domain.connectors.integration import Integration, IntegrationKind
from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretBytes

GOOD: Mapping[str, Any] = {
    "endpoint": "postgresql://db.example.com/crm",
    "authentication": {"type": "password", "username": "agent"},
    "queries": {"one": {"sql": "SELECT * FROM t WHERE id = :id", "parameters": {"id": {"type": "integer"}}}},
}


def with_query(**more: Any) -> dict[str, Any]:
    return {**GOOD, "queries": {"one": {**GOOD["queries"]["one"], **more}}}


def opened(configuration: Mapping[str, Any], *, declared: bool = False, password: str = "secret") -> Any:
    nothing: Any = None
    secrets = {"password": SecretBytes(password.encode())} if password else {}
    integration = Integration(
        tenant_id="acme",
        integration_id="crm",
        kind=IntegrationKind.DATABASE,
        configuration=configuration,
        declared=declared,
    )
    return DatabaseKind().open(integration, Surroundings(nothing, nothing, secrets))


def test_a_good_one_is_taken() -> None:
    DatabaseKind().validate(GOOD)
    DatabaseKind().validate({**GOOD, "free_sql": {"enabled": True, "tables": ["crm.orders"]}})


@pytest.mark.parametrize(
    ("configuration", "param"),
    [
        ({}, "endpoint"),
        ({**GOOD, "endpoint": "ftp://h/x"}, "endpoint"),
        ({**GOOD, "endpoint": "postgresql://u:p@h/x"}, "endpoint"),
        ({**GOOD, "endpoint": "postgresql://h/x?sslmode=disable"}, "endpoint"),
        ({**GOOD, "endpoint": "postgresql://a,b/x"}, "endpoint"),
        ({**GOOD, "endpoint": "postgresql://h:0x50/x"}, "endpoint"),
        ({**GOOD, "readonly": True}, "readonly"),
        ({**GOOD, "authentication": {"type": "kerberos"}}, "authentication.type"),
        ({**GOOD, "authentication": {"type": "password"}}, "authentication.username"),
        ({**GOOD, "authentication": {"type": "none", "password": "x"}}, "authentication.password"),
        ({**GOOD, "pool": {"max": 0}}, "pool.max"),
        ({**GOOD, "pool": {"min": 5, "max": 2}}, "pool.min"),
        ({**GOOD, "limits": {"rows": 10**9}}, "limits.rows"),
        ({**GOOD, "tls": {"mode": "prefer"}}, "tls.mode"),
        ({**GOOD, "free_sql": {"enabled": True, "tables": ["a;b"]}}, "free_sql.tables.0"),
        ({**GOOD, "free_sql": {"enabled": True, "tables": ["pg_catalog.pg_authid"]}}, "free_sql.tables.0"),
        ({**GOOD, "queries": {"list_tables": {"sql": "SELECT 1"}}}, "queries.list_tables"),
        ({**GOOD, "queries": {"a b": {"sql": "SELECT 1"}}}, "queries.a b"),
        (with_query(readOnly=True), "queries.one.readOnly"),
        (with_query(sql="SELECT 1; SELECT 2"), "queries.one.sql"),
        (with_query(sql="SELECT :other"), "queries.one.sql"),
        (with_query(sql="SELECT 1"), "queries.one.parameters.id"),
        (with_query(returns="affected"), "queries.one.returns"),
        (with_query(read_only=False, cache_ttl_s=5), "queries.one.cache_ttl_s"),
        (with_query(cost_usd_per_call=-1), "queries.one.cost_usd_per_call"),
        (with_query(parameters={"id": {"type": "integr"}}), "queries.one.parameters"),
        (with_query(parameters={"id": {"required": "yes"}}), "queries.one.parameters.id.required"),
        (with_query(examples=[{"id": "one"}]), "queries.one.examples.0.id"),
        (
            with_query(sql="SELECT :as", parameters={"as": {"type": "string"}}),
            "queries.one.parameters",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_path(configuration: Mapping[str, Any], param: str) -> None:
    with pytest.raises(InvalidConfiguration) as wrong:
        DatabaseKind().validate(configuration)

    assert wrong.value.param == param


def test_no_secret_stands_in_what_is_told_about_a_configuration() -> None:
    for said in (
        {**GOOD, "endpoint": "postgresql://agent:planted-hunter2@h/x"},
        {**GOOD, "authentication": {"type": "password", "username": "a", "pasword": "planted-hunter2"}},
        {**GOOD, "authentication": {"type": "password", "username": ["planted-hunter2"]}},
    ):
        with pytest.raises(InvalidConfiguration) as wrong:
            DatabaseKind().validate(said)

        assert "hunter2" not in f"{wrong.value!r} {wrong.value.message} {wrong.value.details}"


def test_only_the_password_is_secret() -> None:
    kind = DatabaseKind()

    assert kind.secret_fields(GOOD) == {"password"}
    assert kind.secret_fields({**GOOD, "authentication": {"type": "none"}}) == frozenset()
    assert kind.secret_fields({"authentication": "x"}) == frozenset()


def test_an_integration_without_its_password_cannot_be_opened() -> None:
    with pytest.raises(InvalidConfiguration) as wrong:
        opened(GOOD, password="")

    assert wrong.value.param == "authentication.password"


def test_files_of_the_server_are_named_by_its_own_configuration_only() -> None:
    said = {**GOOD, "tls": {"ca_file": "/etc/hostname"}}

    with pytest.raises(InvalidConfiguration) as wrong:
        opened(said)

    assert wrong.value.param == "tls.ca_file"
    assert "only integrations of its configuration file" in wrong.value.message


def test_opening_connects_to_nothing_and_lists_its_tools() -> None:
    connector = opened(GOOD)

    assert [tool.name for tool in connector.tools] == ["one", "list_tables", "describe_table", "explain"]
    assert connector.figures().open == 0
    assert "secret" not in repr(connector)


def test_tools_say_what_callers_need_to_know() -> None:
    connector = opened(
        with_query(description="By number.", limits={"timeout_s": 5}, cost_usd_per_call="0.01")
    )
    (tool, *_) = connector.tools

    assert tool.description == "By number."
    assert tool.parameters["required"] == ["id"]
    assert tool.parameters["additionalProperties"] is False
    assert (tool.read_only, tool.idempotent, tool.destructive) == (True, True, False)
    assert (tool.timeout_s, tool.cost_nano_usd) == (5.0, 10_000_000)
    assert tool.streams == {"text/csv", "application/jsonl", "application/vnd.apache.arrow.stream"}


def test_every_scheme_is_served_by_one_engine() -> None:
    assert DatabaseKind().schemes == SERVED.keys()
    assert DatabaseKind().kind is IntegrationKind.DATABASE
