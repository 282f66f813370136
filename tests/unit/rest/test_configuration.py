"""Mistakes in a configuration are found before anything is sent, each with its place."""

import copy
from typing import Any

import pytest

from adapters.rest.configuration import read_configuration
from adapters.rest.kind import RestConnectors
from adapters.rest.recipes import recipe_named, recipe_names
from adapters.system.clock import SystemClock
from domain.errors import InvalidConfiguration

GOOD: dict[str, Any] = {
    "endpoint": "https://api.example/v1",
    "authentication": {"type": "bearer", "token": "very-secret-token"},
    "tools": {"get": {"path": "/things/{id}"}},
    # Of every integration, and read elsewhere:
    "cost_usd_per_call": "0.001",
    "max_concurrency": 4,
    "region": "eu-west",
    "circuit_breaker": {"failure_threshold": 3},
}


def kind() -> RestConnectors:
    return RestConnectors(SystemClock())


def changed(path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(GOOD)
    node = made
    *parents, last = path.split(".")
    for key in parents:
        node = node.setdefault(key, {})
    node[last] = value
    return made


def test_a_good_one_is_good() -> None:
    kind().validate(GOOD)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("endpoint", "ftp://x"),
        ("endpoint", "https://u:p@x"),
        ("endpoint", "https://x/?a=1"),
        ("endpoint", "https://x/../y"),
        ("endpoint", "https://x:0"),
        ("endpoint", "https://x\r\nHost: y"),
        ("endpoint", "http://internal.example"),
        ("endpoint", 5),
        ("authentication.type", "magic"),
        ("authentication.tokn", "x"),
        ("unknown", 1),
        ("headers.Host", "x"),
        ("headers.x-a", "a\r\nb: c"),
        ("tools.get.path", "things"),
        ("tools.get.path", "/{a"),
        ("tools.get.method", "CONNECT"),
        ("tools.get.headers", {"content-length": "1"}),
        ("tools.get.body", {"a": 1}),
        ("tools.get.colour", "red"),
        ("tools.get.parameters", {"type": "object", "properties": {"other": {}}}),
        ("tools.get.parameters", {"type": "string"}),
        ("tools.get.parameters", {"properties": {"id": {"$ref": "http://evil.example/s"}}}),
        ("tools.get.response", {"select": "a["}),
        ("tools.get.response", {"schema": {"type": "no such type"}}),
        ("tools.get.response", {"headers": ["set-cookie"]}),
        ("tools.get.pagination", {"kind": "cursor", "param": "c"}),
        ("tools.get.pagination", {"kind": "spiral"}),
        ("tools.get.cost_usd", -1),
        ("retries.max", 99),
        ("retries.strategy", "hope"),
        ("retries.statuses", [401]),
        ("rate_limit.requests", 0),
        ("check.path", "/{x}"),
    ],
)
def test_each_mistake_names_its_field(path: str, value: Any) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        kind().validate(changed(path, value))

    assert caught.value.param is not None
    assert caught.value.param.split(".")[0] == path.split(".")[0]
    assert "very-secret-token" not in f"{caught.value!r} {caught.value.message}"


def test_a_name_that_is_no_tools_name_is_refused() -> None:
    with pytest.raises(InvalidConfiguration):
        kind().validate({**GOOD, "tools": {"1 bad": {"path": "/"}}})


def test_an_integration_without_tools_is_refused() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        kind().validate({key: value for key, value in GOOD.items() if key != "tools"})

    assert caught.value.param == "tools"


@pytest.mark.parametrize("text", ["http://127.0.0.1:9", "http://localhost", "http://[::1]:9"])
def test_this_machine_may_be_asked_without_tls(text: str) -> None:
    kind().validate({**GOOD, "endpoint": text})


def test_plain_http_has_to_be_said() -> None:
    kind().validate({**GOOD, "endpoint": "http://internal.example", "plain_http": True})
    kind().validate({**GOOD, "endpoint": "http://internal.example", "authentication": {"type": "none"}})
    with pytest.raises(InvalidConfiguration):
        kind().validate(
            {**GOOD, "endpoint": "http://x", "authentication": {"type": "mtls"}, "plain_http": True}
        )


def test_secrets_are_named_for_every_kind() -> None:
    def fields(type_: str) -> frozenset[str]:
        return kind().secret_fields({"authentication": {"type": type_}})

    assert fields("api_key") == {"key"}
    assert fields("oauth2_refresh") == {"client_secret", "refresh_token"}
    assert fields("mtls") == {"certificate", "private_key"}
    assert fields("nonsense") == frozenset()
    assert kind().secret_fields({}) == frozenset()
    assert kind().secret_fields({"recipe": "jira", "authentication": {}}) == {"password"}
    assert kind().secret_fields({"authentication": "no object"}) == frozenset()


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads_and_its_examples_keep_their_schemas(name: str) -> None:
    from jsonschema_rs import validator_for

    configuration = {"endpoint": "https://api.example", "recipe": name}
    kind().validate(configuration)

    read = read_configuration(configuration)
    assert all(tool.description for tool in read.tools.values())
    for tool in read.tools.values():
        for example in tool.examples:
            validator_for(tool.parameters or {}).validate(example)


def test_what_an_integration_says_wins_over_its_recipe() -> None:
    read = read_configuration(
        {
            "endpoint": "https://github.internal.example/api/v3",
            "recipe": "github",
            "headers": {"x-mine": "1"},
            "tools": {"create_issue": None, "get_issue": {"description": "Mine."}, "extra": {"path": "/x"}},
            "authentication": {"type": "basic", "username": "me"},
        }
    )

    assert "create_issue" not in read.tools and "extra" in read.tools
    assert read.tools["get_issue"].description == "Mine."
    assert read.tools["get_issue"].path == "/repos/{owner}/{repo}/issues/{number}"
    assert read.headers["x-mine"] == "1" and "x-github-api-version" in read.headers
    assert read.authentication.type == "basic"
    assert "create_issue" in recipe_named("github")["tools"]


def test_a_recipe_that_there_is_not_is_named() -> None:
    with pytest.raises(InvalidConfiguration, match="github"):
        kind().validate({"endpoint": "https://x", "recipe": "../../etc/passwd"})
