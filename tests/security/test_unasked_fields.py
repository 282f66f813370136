"""Fields nobody offered: a caller cannot set what it may not, by naming it in a body."""

from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack
from tests.security.attack_world import NOBODY, OPENAPI, WITH_JSON, Operation, in_order, send, still_well
from tests.security.tenant_world import made

PRIVILEGED: dict[str, Any] = {
    "permissions": ["keys.write"],
    "is_admin": True,
    "owner": "default",
    "organisation_id": "x",
    "key_id": NOBODY,
    "hash": "00",
    "pepper_version": 1,
    "revoked_at": None,
    "created_by": "x",
    "spent_usd": "0",
    "id": "x",
    "__proto__": {"role": "owner"},
    "constructor": {"prototype": {}},
    "$where": "1",
    "_method": "DELETE",
}


def closed(operation: Operation) -> bool:
    """Whether the document says that nothing else may stand in the body."""
    schemas = [
        content["schema"]["$ref"].rpartition("/")[2]
        for content in OPENAPI["paths"][operation.path][operation.method.lower()]["requestBody"][
            "content"
        ].values()
    ]
    return OPENAPI["components"]["schemas"][schemas[0]].get("additionalProperties") is False


CLOSED = [operation for operation in WITH_JSON if closed(operation)]


def test_every_body_that_changes_the_installation_is_closed() -> None:
    administered = {each.path for each in WITH_JSON if each.path.startswith("/api/v1/")}
    open_ones = administered - {each.path for each in CLOSED}

    assert open_ones == {
        "/api/v1/llm/complete",  # a model's own options go through
        "/api/v1/playground",
        "/api/v1/routing/explain",
        "/api/v1/cache/explain",
        "/api/v1/routes/{name}",  # the file's own reader refuses what it does not know
    }


@pytest.mark.parametrize("operation", CLOSED, ids=str)
def test_a_field_that_is_not_offered_is_400_by_its_name(owner: httpx.Client, operation: Operation) -> None:
    for name, value in PRIVILEGED.items():
        if name not in operation.fields:
            answer = in_order(send(owner, operation, {**operation.base, name: value}))
            assert answer.status_code == 400, (name, answer.text)
            assert name in answer.json()["error"]["param"], (name, answer.text)


def test_a_route_takes_no_field_of_another_kind_either(owner: httpx.Client) -> None:
    for name in ("permissions", "tenant_id", "__proto__", "api_key", "base_url", "headers"):
        answer = owner.put("/api/v1/routes/made", json={"targets": ["first/small"], name: "x"})
        assert answer.status_code == 400, (name, answer.text)


def test_a_caller_sets_nothing_of_ours_in_a_call(target: Stack, owner: httpx.Client) -> None:
    """Words that other gateways take for instructions reach the provider as options, or nobody."""
    key = made(owner.post("/api/v1/keys", json={"tenant_id": "acme", "name": "n", "role": "agent"}))
    taken_elsewhere = {
        "api_key": "sk-x",
        "api_base": "http://127.0.0.1:9",
        "base_url": "http://127.0.0.1:9",
        "custom_llm_provider": "openai",
        "user_api_key_user_id": "admin",
        "metadata": {"tenant_id": "default"},
        "litellm_params": {"api_base": "http://127.0.0.1:9"},
        "proxy_server_request": {"body": 1},
        "mock_response": "x",
        "extra_headers": {"authorization": "Bearer other"},
        "tenant_id": "default",
    }
    with httpx.Client(base_url=target.url, headers={"authorization": f"Bearer {key['key']}"}) as client:
        for name, value in taken_elsewhere.items():
            body = {"model": "both", "messages": [{"role": "user", "content": "hello"}], name: value}
            answer = in_order(client.post("/v1/chat/completions", json=body))
            assert answer.status_code in (200, 400), (name, answer.text)
            assert answer.headers.get("x-interchange-provider", "first") == "first", name
    sent = target.run(_sent(target))
    assert len(sent) >= len(taken_elsewhere)
    # The simulator shows credentials as digests: one for all of them, the provider's own.
    assert len({request["headers"]["authorization"] for request in sent}) == 1


async def _sent(target: Stack) -> list[dict[str, Any]]:
    """What reached the provider, lately."""
    return [each for each in target.simulator.requests if each["path"].endswith("/chat/completions")]


def test_after_all_of_it_the_server_is_well(target: Stack, owner: httpx.Client) -> None:
    still_well(target, owner)
