"""The published JSON Schema accepts what the server accepts."""

from typing import Any

import jsonschema
import pytest

from entrypoints.config.schema import json_schema

EXAMPLE = {
    "portkey": {"gateways": ["http://127.0.0.1:8787"]},
    "providers": {
        "acme": {
            "kind": "openai",
            "base_url": "http://127.0.0.1:9001/v1",
            "api_key": "${ACME_KEY}",
            "models": {"small": {"input_usd_per_mtok": 0.1, "capabilities": ["text"], "prefill": False}},
        }
    },
    "routes": {
        "r": {"targets": ["acme/small", {"target": "acme/small", "weight": 2}], "cache": {"mode": "off"}}
    },
    "budgets": [{"name": "b", "scope": {"tenant": "t"}, "period": "month", "limit_usd": 100}],
    "server": {"port": "${PORT:-8080}"},
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """Made once: nobody changes it, and making it walks through every section."""
    return json_schema()


def test_the_schema_is_a_schema_and_accepts_the_example(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(EXAMPLE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"routs": {}},
        {"server": {"port": 70_000}},
        {"server": {"port": "many"}},
        {"routes": {"r": {"targets": []}}},
        {"routes": {"r": {"targets": ["acme"]}}},
        {"providers": {"p": {"models": {"m": {"capabilities": ["telepathy"]}}}}},
    ],
)
def test_the_schema_refuses_what_the_server_refuses(schema: dict[str, Any], wrong: object) -> None:
    with pytest.raises(jsonschema.ValidationError):
        # `jsonschema.validate` would judge the schema again each time.
        jsonschema.Draft202012Validator(schema).validate(wrong)


@pytest.mark.parametrize(
    "key",
    [
        "tenants",
        "roles",
        "rate_limits",
        "privacy.policies",
        "vault.aws_kms",
        "vault.transit",
        "vault.transit.key_name",
        "vault.aws_kms.region",
        "limits.admin_requests_per_minute",
    ],
)
def test_a_key_says_what_it_is_for(schema: dict[str, Any], key: str) -> None:
    found = schema
    for part in key.split("."):
        while "$ref" in found:
            found = schema["$defs"][found["$ref"].rpartition("/")[2]]
        found = found["properties"][part]

    assert len(found["description"]) > 5
