"""Content stays where its tenant and its caller demand: providers, gateway, cache, kept responses, files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.stack import Stack

MODEL = (
    "{input_usd_per_mtok: 1, output_usd_per_mtok: 2, context_tokens: 9000, capabilities: [text, streaming]}"
)
AT = 'kind: openai, base_url: "{sim}/openai/v1", api_key: x'
PROVIDERS = f"""
  near: {{{AT}, via: direct, region: eu-west, models: {{small: {MODEL}}}}}
  far: {{{AT}, via: direct, region: us-east, models: {{small: {MODEL}}}}}
  behind: {{{AT}, via: portkey, region: eu-west, models: {{small: {MODEL}}}}}
"""
CONFIG = f"""
residency: {{home: us-east, groups: {{eu: [eu-west, eu-central]}}}}
providers:{PROVIDERS}
routes:
  both: {{strategy: priority, targets: [far/small, near/small], cache: {{mode: exact}}}}
  keeps: {{targets: [near/small], responses: {{store: true}}}}
tenants:
  clinic: {{residency: eu}}
  shop: {{}}
"""
HELLO = [{"role": "user", "content": "hello"}]


class World:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = httpx.Client(base_url=stack.url, timeout=20)
        self.clinic, self.shop = self._key("clinic"), self._key("shop")

    def _key(self, tenant_id: str) -> str:
        made = self.http.post(
            "/api/v1/keys",
            headers={"x-api-key": self.stack.key},
            json={"tenant_id": tenant_id, "name": "agent", "role": "developer"},
        )
        return str(made.json()["key"])

    def ask(self, key: str, model: str, **headers: str) -> httpx.Response:
        body = {"model": model, "messages": HELLO}
        return self.http.post("/v1/chat/completions", headers={"x-api-key": key, **headers}, json=body)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("residency")
    with Stack(path, CONFIG) as stack:
        yield World(stack)


def refused(answer: httpx.Response) -> Any:
    assert answer.status_code == 403, answer.text
    error = answer.json()["error"]
    assert error["code"] == "residency_violation"
    return error


def test_a_tenant_is_answered_from_its_own_region_even_where_another_comes_first(world: World) -> None:
    answer = world.ask(world.clinic, "both")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-interchange-provider"] == "near"
    assert world.ask(world.shop, "both").headers["x-interchange-provider"] == "far"


def test_what_is_elsewhere_is_refused_with_the_reason(world: World) -> None:
    error = refused(world.ask(world.clinic, "far/small"))
    assert "eu, which its tenant is held to" in error["message"]


def test_a_caller_can_narrow_what_its_tenant_is_held_to_and_never_widen_it(world: World) -> None:
    assert world.ask(world.clinic, "both", **{"x-interchange-residency": "eu-west"}).status_code == 200
    refused(world.ask(world.clinic, "both", **{"x-interchange-residency": "us-east"}))
    answer = world.ask(world.clinic, "both", **{"x-interchange-residency": "global"})
    assert answer.headers["x-interchange-provider"] == "near"


def test_a_gateway_elsewhere_carries_nothing_of_it(world: World) -> None:
    refused(world.ask(world.clinic, "behind/small"))


def test_nothing_of_it_is_kept_in_a_cache_elsewhere(world: World) -> None:
    caches = {world.ask(world.clinic, "both").headers["x-interchange-cache"] for _ in range(3)}
    assert caches == {"bypass"}
    world.ask(world.shop, "both")
    assert world.ask(world.shop, "both").headers["x-interchange-cache"] == "hit-l1"


def test_a_response_is_not_kept_elsewhere(world: World) -> None:
    body = {"model": "keeps", "input": "hello", "store": True}
    asked = world.http.post("/v1/responses", headers={"x-api-key": world.clinic}, json=body)
    assert refused(asked)["param"] == "store"
    quiet = world.http.post(
        "/v1/responses", headers={"x-api-key": world.clinic}, json={**body, "store": False}
    )
    assert quiet.status_code == 200, quiet.text


def test_files_are_not_taken_elsewhere(world: World) -> None:
    def upload(key: str) -> httpx.Response:
        return world.http.post(
            "/v1/files",
            headers={"x-api-key": key},
            files={"file": ("lines.jsonl", b"{}\n")},
            data={"purpose": "batch"},
        )

    assert refused(upload(world.clinic))["param"] == "file"
    assert upload(world.shop).status_code == 200


def test_an_explanation_says_why_a_target_is_dropped(world: World) -> None:
    told = world.http.post(
        "/api/v1/routing/explain",
        headers={"x-api-key": world.clinic},
        json={"model": "both", "messages": HELLO},
    )
    assert told.status_code == 200, told.text
    dropped = [each for each in told.json()["candidates"] if "far" in str(each)]
    assert "residency" in str(dropped)
