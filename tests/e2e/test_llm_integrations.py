"""Providers of models as integrations of a whole server: made, called, paused, rotated, removed, and never
another tenant's."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any

import httpx
import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import simulate

CONFIG = """
profile: embedded
egress:
  allow: [127.0.0.1]
providers:
  house:
    kind: openai
    base_url: "{sim}/house/v1"
    api_key: house-key-0123456789
    via: direct
    models: {small: {input_usd_per_mtok: 1, output_usd_per_mtok: 2}}
integrations:
  declared:
    type: llm_provider
    tenant: acme
    configuration:
      endpoint: "{sim}/declared/v1"
      authentication: {type: api_key, api_key: "${DECLARED_KEY}"}
      models: {written: {input_usd_per_mtok: 1, output_usd_per_mtok: 1}}
"""
ROOT = "/api/v1/integrations"
KEY, NEXT_KEY = "tenants-key-0123456789", "tenants-next-key-0123456789"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("llm") / "data", CONFIG, environ={"DECLARED_KEY": KEY}) as running:
        yield running


@pytest.fixture(scope="module")
def operator(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


@contextmanager
def tenants_client(stack: Stack, operator: httpx.Client, tenant: str) -> Iterator[httpx.Client]:
    new = {"tenant_id": tenant, "name": f"owner of {tenant}", "role": "owner"}
    key = operator.post("/api/v1/keys", json=new).json()["key"]
    with httpx.Client(base_url=stack.url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def acme(stack: Stack, operator: httpx.Client) -> Iterator[httpx.Client]:
    with tenants_client(stack, operator, "acme") as client:
        yield client


@pytest.fixture(scope="module")
def other(stack: Stack, operator: httpx.Client) -> Iterator[httpx.Client]:
    with tenants_client(stack, operator, "other") as client:
        yield client


def body(stack: Stack, name: str | None, at: str = "acme-side", **said: Any) -> dict[str, object]:
    made: dict[str, object] = {
        "type": "llm_provider",
        "configuration": {
            "endpoint": f"{stack.simulator.base_url}/{at}/v1",
            "authentication": {"type": "api_key", "api_key": KEY},
            "models": {"own-model": {"input_usd_per_mtok": 3, "output_usd_per_mtok": 4}},
            "circuit_breaker": {"failure_threshold": 3},
            **said,
        },
    }
    return made if name is None else {"integration_id": name, **made}


def ask(client: httpx.Client, model: str) -> httpx.Response:
    message = {"role": "user", "content": "hello there"}
    return client.post("/v1/chat/completions", json={"model": model, "messages": [message]})


def sdk(stack: Stack, client: httpx.Client) -> openai.OpenAI:
    key = client.headers["authorization"].removeprefix("Bearer ")
    return openai.OpenAI(api_key=key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20)


def keys_sent(stack: Stack) -> list[str]:
    """With questions, as fingerprints, the newest last."""
    asked = (each for each in stack.simulator.requests if each["method"] == "POST")
    return [each["headers"].get("authorization", "") for each in asked]


def error(answer: httpx.Response) -> dict[str, str]:
    found: dict[str, str] = answer.json()["error"]
    return found


@pytest.fixture
def mine(stack: Stack, acme: httpx.Client) -> Iterator[str]:
    answer = acme.post(ROOT, json=body(stack, "mine"))
    assert answer.status_code == 201, answer.text
    yield "mine"
    acme.delete(f"{ROOT}/mine")


def test_one_that_is_made_is_called_at_once_and_gone_when_it_is_removed(
    stack: Stack, acme: httpx.Client
) -> None:
    made = acme.post(ROOT, json=body(stack, "mine"))
    with sdk(stack, acme) as client:
        said = client.chat.completions.with_raw_response.create(
            model="mine/own-model", messages=[{"role": "user", "content": "hello there"}]
        )
        names = [model.id for model in client.models.list()]
    removed = acme.delete(f"{ROOT}/mine")
    after = ask(acme, "mine/own-model")

    assert made.status_code == 201, made.text
    assert made.json()["status"] == "active"
    assert said.headers["x-interchange-provider"] == "acme:mine"
    assert said.parse().choices[0].message.content
    assert float(said.headers["x-interchange-cost-usd"]) > 0
    assert "mine/own-model" in names
    assert removed.status_code == 200
    assert (after.status_code, error(after)["code"]) == (404, "model_not_found")


def test_its_key_goes_to_its_side_and_stands_nowhere(stack: Stack, acme: httpx.Client, mine: str) -> None:
    answer = ask(acme, f"{mine}/own-model")
    shown = acme.get(f"{ROOT}/{mine}")
    status = acme.get("/api/v1/providers/status")

    assert answer.status_code == 200, answer.text
    assert shown.json()["configuration"]["authentication"]["api_key"] == {"credential": "mine.api_key"}
    assert all(KEY not in each.text for each in (answer, shown, status))
    sent = stack.simulator.requests[-1]
    assert sent["provider"] == "acme-side"


@pytest.mark.parametrize("act", ["disable", "maintenance"])
def test_a_paused_one_answers_nobody_until_it_goes_on(acme: httpx.Client, mine: str, act: str) -> None:
    paused = acme.post(f"{ROOT}/{mine}/{act}")
    refused = ask(acme, f"{mine}/own-model")
    resumed = acme.post(f"{ROOT}/{mine}/enable")
    answered = ask(acme, f"{mine}/own-model")

    assert (paused.status_code, resumed.status_code) == (200, 200)
    assert refused.status_code in (404, 503)
    assert answered.status_code == 200


def test_for_another_tenant_it_does_not_exist(
    stack: Stack, acme: httpx.Client, other: httpx.Client, operator: httpx.Client, mine: str
) -> None:
    assert ask(acme, f"{mine}/own-model").status_code == 200
    before = len(stack.simulator.requests)

    for client in (other, operator):
        for name in ("mine/own-model", "acme:mine/own-model", "own-model"):
            refused, unknown = ask(client, name), ask(client, name.replace("m", "n"))
            assert refused.status_code == 404, (name, refused.text)
            said, alike = (error(each)["message"] for each in (refused, unknown))
            assert said.replace("m", "n") == alike.replace("m", "n")
        listed = [each["id"] for each in client.get("/v1/models").json()["data"]]
        assert not any("mine" in each or "own-model" in each for each in listed)

    assert len(stack.simulator.requests) == before
    assert "acme:mine" not in other.get("/api/v1/providers/status").text
    assert "acme:mine" in acme.get("/api/v1/providers/status").text
    assert "acme:mine" in operator.get("/api/v1/providers/status").text


def test_two_tenants_use_one_name_for_different_providers(
    stack: Stack, acme: httpx.Client, other: httpx.Client, mine: str
) -> None:
    assert other.post(ROOT, json=body(stack, "mine", "other-side")).status_code == 201
    try:
        answers = [ask(client, "mine/own-model") for client in (acme, other)]
        sides = [each["provider"] for each in stack.simulator.requests[-2:]]
    finally:
        other.delete(f"{ROOT}/mine")

    assert [answer.headers["x-interchange-provider"] for answer in answers] == ["acme:mine", "other:mine"]
    assert sides == ["acme-side", "other-side"]
    assert ask(acme, "mine/own-model").status_code == 200


def test_a_route_with_a_tenants_model_serves_that_tenant_with_it_and_others_without(
    stack: Stack, operator: httpx.Client, acme: httpx.Client, other: httpx.Client, mine: str
) -> None:
    route = {"targets": ["acme:mine/own-model", "house/small"], "strategy": "priority"}
    put = operator.put("/api/v1/routes/shared", json=route)
    try:
        answers = {name: ask(client, "shared") for name, client in (("acme", acme), ("other", other))}
    finally:
        operator.delete("/api/v1/routes/shared")

    assert put.status_code in (200, 201), put.text
    assert {name: answer.headers["x-interchange-provider"] for name, answer in answers.items()} == {
        "acme": "acme:mine",
        "other": "house",
    }


def test_a_route_of_another_tenants_models_alone_answers_nobody_else(
    operator: httpx.Client, acme: httpx.Client, other: httpx.Client, mine: str
) -> None:
    operator.put("/api/v1/routes/theirs", json={"targets": ["acme:mine/own-model"]})
    try:
        allowed, refused = ask(acme, "theirs"), ask(other, "theirs")
        asked = {"model": "theirs", "messages": [{"role": "user", "content": "hi"}]}
        explained = other.post("/api/v1/routing/explain", json=asked)
        listed = [each["id"] for each in other.get("/v1/models").json()["data"]]
    finally:
        operator.delete("/api/v1/routes/theirs")

    assert allowed.status_code == 200
    assert (refused.status_code, error(refused)["code"]) == (403, "forbidden")
    assert "mine" not in refused.text
    assert "acme:mine" not in explained.text
    assert "theirs" not in listed


def test_the_operators_own_serves_everybody(
    stack: Stack, operator: httpx.Client, other: httpx.Client
) -> None:
    made = operator.post(ROOT, json=body(stack, "everybodys", "shared-side"))
    try:
        answer = ask(other, "everybodys/own-model")
        taken = other.post(ROOT, json=body(stack, "everybodys"))
    finally:
        operator.delete(f"{ROOT}/everybodys")

    assert made.status_code == 201, made.text
    assert answer.headers["x-interchange-provider"] == "everybodys"
    assert taken.status_code == 409
    assert ask(other, "everybodys/own-model").status_code == 404


def test_a_new_key_is_used_from_the_next_request_on(stack: Stack, acme: httpx.Client, mine: str) -> None:
    assert ask(acme, f"{mine}/own-model").status_code == 200
    changed = body(stack, None)
    changed["configuration"]["authentication"]["api_key"] = NEXT_KEY  # type: ignore[index]

    assert acme.put(f"{ROOT}/{mine}", json=changed).status_code == 200
    assert ask(acme, f"{mine}/own-model").status_code == 200

    old, new = keys_sent(stack)[-2:]
    assert old != new


def test_a_credential_that_is_rotated_in_the_vault_is_followed(
    stack: Stack, acme: httpx.Client, mine: str
) -> None:
    assert ask(acme, f"{mine}/own-model").status_code == 200
    before = keys_sent(stack)[-1]
    kept = acme.get("/api/v1/credentials").json()["credentials"]
    [credential] = [each["credential_id"] for each in kept if each["name"] == "mine.api_key"]

    changed = acme.put(f"/api/v1/credentials/{credential}", json={"value": NEXT_KEY})

    assert changed.status_code == 200, changed.text
    for _ in range(50):
        assert ask(acme, f"{mine}/own-model").status_code == 200
        if keys_sent(stack)[-1] != before:
            break
        sleep(0.1)
    assert keys_sent(stack)[-1] != before


def test_a_name_of_the_file_is_taken(stack: Stack, acme: httpx.Client, operator: httpx.Client) -> None:
    for client in (acme, operator):
        answer = client.post(ROOT, json=body(stack, "house"))
        assert (answer.status_code, error(answer)["code"]) == (409, "conflict"), answer.text
    assert ask(acme, "house/small").headers["x-interchange-provider"] == "house"


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ({"kind": "no-such-kind"}, "configuration.kind"),
        ({"headers": {"x-key": "secret"}}, "configuration.headers"),
        ({"auth": {"kind": "aws"}}, "configuration.auth"),
        ({"models": {"m": {"input_usd_per_mtok": -1}}}, "configuration.models.m.input_usd_per_mtok"),
        ({"authentication": {"type": "magic"}}, "configuration.authentication.type"),
        ({"authentication": {"type": "api_key"}}, "configuration.authentication.api_key"),
        ({"authentication": {"type": "api_key", "api_key": "a\nb"}}, "configuration.authentication.api_key"),
        ({"via": "portkey"}, "configuration.via"),
        ({"cache_ttl_s": 60}, "configuration.cache_ttl_s"),
        ({"endpoint": "http://10.0.0.7:8000/v1"}, "configuration.endpoint"),
        ({"endpoint": "http://169.254.169.254/v1"}, "configuration.endpoint"),
    ],
)
def test_what_cannot_be_a_provider_here_is_refused_by_its_field(
    stack: Stack, acme: httpx.Client, said: dict[str, Any], param: str
) -> None:
    answer = acme.post(ROOT, json=body(stack, "wrong", **said))

    assert (answer.status_code, error(answer)["code"]) == (422, "invalid_configuration"), answer.text
    assert error(answer)["param"] == param
    assert acme.get(f"{ROOT}/wrong").status_code == 404


def test_what_cannot_be_reached_is_not_kept(stack: Stack, acme: httpx.Client) -> None:
    answer = acme.post(ROOT, json=body(stack, "away", endpoint="http://127.0.0.1:59999/v1"))

    assert (answer.status_code, error(answer)["code"]) == (503, "integration_unavailable")
    assert ask(acme, "away/own-model").status_code == 404


def test_one_that_the_file_declares_is_its_tenants_from_the_start(
    acme: httpx.Client, other: httpx.Client
) -> None:
    assert ask(acme, "declared/written").headers["x-interchange-provider"] == "acme:declared"
    assert ask(other, "declared/written").status_code == 404


def test_an_answer_under_way_is_finished_when_its_provider_is_removed(
    stack: Stack, acme: httpx.Client
) -> None:
    assert acme.post(ROOT, json=body(stack, "leaving")).status_code == 201
    simulate(stack, lambda: stack.simulator.latency(ttft_ms=1, per_token_ms=20))
    try:
        with sdk(stack, acme) as client:
            message: Any = {"role": "user", "content": "hello there"}
            stream = client.chat.completions.create(
                model="leaving/own-model", messages=[message], stream=True
            )
            chunks = [next(stream)]
            removed = acme.delete(f"{ROOT}/leaving")
            chunks += list(stream)
    finally:
        simulate(stack, stack.simulator.clear_rules)

    assert removed.status_code == 200
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert ask(acme, "leaving/own-model").status_code == 404
