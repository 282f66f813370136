"""Asking a model from the pages: as the person, through everything that calls of programs pass."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.documented import Document
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG, eventually
from tests.security.login_world import Page, code_of, logged_in, made

PLAYGROUND = "/api/v1/playground"
ASKED: dict[str, Any] = {
    "model_requirements": {"capabilities": ["text"]},
    "request": {"model": "assistant", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 20},
    "context": {"agent_id": "somebody", "tenant_id": "default"},
}
DOCUMENT = Document()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("playground"), CONFIG) as started:
        yield started


@pytest.fixture
def owner(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client() as client:
        yield client


def test_a_login_asks_a_model_and_sees_what_it_cost(stack: Stack, owner: httpx.Client) -> None:
    answer = logged_in(stack, stack.key).ask("POST", PLAYGROUND, json_=ASKED)
    DOCUMENT.check(answer)
    told = answer.json()

    assert answer.status_code == 200 and told["completion"] and told["cost"] > 0
    assert answer.headers["x-request-id"] == told["request_id"]
    assert (told["provider"], told["usage"]["output_tokens"] <= 20) == ("alpha", True)
    row = eventually(
        lambda: owner.get("/api/v1/requests", params={"agent_id": "playground"}).json()["requests"]
    )[0]
    assert (row["request_id"], row["route"], row["outcome"]) == (told["request_id"], "assistant", "ok")


def test_a_key_may_use_the_playground_too(owner: httpx.Client) -> None:
    assert owner.post(PLAYGROUND, json=ASKED).status_code == 200


def test_whoever_may_not_call_models_may_not_do_it_here(stack: Stack, owner: httpx.Client) -> None:
    answer = logged_in(stack, made(owner)["key"]).ask("POST", PLAYGROUND, json_=ASKED)

    assert (answer.status_code, code_of(answer)) == (403, "forbidden")
    assert "llm.call" in answer.json()["error"]["message"]


def test_a_page_of_somebody_else_asks_nothing(stack: Stack) -> None:
    page = logged_in(stack, stack.key)

    without_proof = page.ask("POST", PLAYGROUND, json_=ASKED, x_interchange_csrf=None)
    from_elsewhere = page.ask("POST", PLAYGROUND, json_=ASKED, origin="https://evil.example")

    assert (without_proof.status_code, from_elsewhere.status_code) == (403, 403)
    assert httpx.post(stack.url + PLAYGROUND, json=ASKED, timeout=20).status_code == 401


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"request": {**ASKED["request"], "stream": True}}, "request.stream"),
        ({"request": {"model": "assistant"}}, "request.prompt"),
        ({"request": {**ASKED["request"], "max_tokens": 0}}, "request.max_tokens"),
    ],
)
def test_what_is_wrong_is_told_by_its_field(stack: Stack, changed: dict[str, Any], param: str) -> None:
    answer = logged_in(stack, stack.key).ask("POST", PLAYGROUND, json_={**ASKED, **changed})
    DOCUMENT.check(answer)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_another_tenant_and_unknown_models_are_refused(stack: Stack) -> None:
    page = logged_in(stack, stack.key)
    elsewhere = {**ASKED, "context": {"agent_id": "a", "tenant_id": "acme"}}
    unknown = {**ASKED, "request": {"model": "none", "prompt": "hello"}}

    assert page.ask("POST", PLAYGROUND, json_=elsewhere).status_code == 403
    assert page.ask("POST", PLAYGROUND, json_=unknown).status_code == 404


def test_a_hard_budget_holds_here(stack: Stack, owner: httpx.Client) -> None:
    scope = {"tenant": "default", "agent": "playground"}
    budget = {"name": "p", "scope": scope, "period": "day", "limit_usd": "0.000001", "hard": True}
    created = owner.post("/api/v1/budgets", json=budget)
    assert created.status_code == 201, created.text
    try:
        refused = logged_in(stack, stack.key).ask("POST", PLAYGROUND, json_=ASKED)
    finally:
        owner.delete(f"/api/v1/budgets/{created.json()['budget_id']}")

    assert (refused.status_code, code_of(refused)) == (402, "budget_exceeded")


def test_a_login_of_pages_still_calls_no_program_route(stack: Stack) -> None:
    page: Page = logged_in(stack, stack.key)

    assert page.ask("POST", "/api/v1/llm/complete", json_=ASKED).status_code == 401
