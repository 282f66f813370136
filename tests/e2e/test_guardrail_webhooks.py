"""A guardrail of the operator's own, asked over HTTP: what it gets, and what becomes of its troubles."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import BadRequestError, OpenAI

from tests.e2e.guardrail_service import GuardrailService
from tests.e2e.stack import Stack
from tests.e2e.three_wires import CONFIG

SECRET = "a-secret-for-signing"
EMAIL = "bob.stone@example.com"


def configured(service: GuardrailService) -> str:
    hook = (
        f"kind: webhook, url: 'http://127.0.0.1:{service.port}/judge?v=1', secret: {SECRET}, timeout_s: 0.3"
    )
    return (
        CONFIG.replace(
            "  assistant: {strategy",
            "  judged: {targets: [alpha/small], guardrails: [judge], privacy: redact}\n"
            "  lenient: {targets: [alpha/small], guardrails: [lenient]}\n"
            "  hinted: {targets: [alpha/small], guardrails: [hint]}\n"
            "  reworded: {targets: [alpha/small], guardrails: [reworded]}\n"
            "  nowhere: {targets: [alpha/small], guardrails: [nowhere]}\n"
            "  assistant: {strategy",
            1,
        )
        + f"egress: {{allow: ['127.0.0.1:{service.port}']}}\n"
        + "guardrails:\n"
        f"  judge: {{{hook}, where: [prompts, answers, tool_results]}}\n"
        f"  lenient: {{{hook}, on_error: allow}}\n"
        f"  hint: {{{hook}, action: warn}}\n"
        f"  reworded: {{{hook}, action: redact, where: [prompts, answers]}}\n"
        "  nowhere: {kind: webhook, url: 'http://127.0.0.1:9/'}\n"
    )


@pytest.fixture(scope="module")
def service() -> Iterator[GuardrailService]:
    with GuardrailService() as running:
        yield running


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, service: GuardrailService) -> Iterator[Stack]:
    data: Path = tmp_path_factory.mktemp("data")
    with Stack(data, configured(service)) as running:
        yield running


@pytest.fixture(autouse=True)
def _judges(service: GuardrailService) -> None:
    service.behaviour = "judge"
    service.calls.clear()


@pytest.fixture
def openai(stack: Stack) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0) as client:
        yield client


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


def test_it_gets_signed_texts_without_personal_data_and_without_credentials(
    openai: OpenAI, service: GuardrailService, stack: Stack
) -> None:
    assert openai.chat.completions.create(model="judged", messages=says(f"Hi {EMAIL}")).choices
    asked, answered = service.calls
    for headers, raw in (asked, answered):
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + raw
        made = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{made}"
        said = json.dumps(headers) + raw.decode()
        assert EMAIL not in said
        assert stack.key not in said
        assert "provider-secret" not in said
        assert "authorization" not in headers
    body = json.loads(asked[1])
    assert body["guardrail"] == "judge"
    assert body["stage"] == "request"
    assert json.loads(answered[1])["stage"] == "answer"
    assert {"where": "prompts", "field": "messages[0].content", "text": "Hi <EMAIL_ADDRESS>"} in body["texts"]


def test_what_it_blocks_is_refused_with_its_word(openai: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="judge: toxicity"):
        openai.chat.completions.create(model="judged", messages=says("toxic words"))


def test_it_may_put_other_words_there(openai: OpenAI, stack: Stack) -> None:
    answer = openai.chat.completions.create(model="reworded", messages=says("be rude"))
    assert "be kind" in json.dumps(stack.simulator.requests[-1]["body"])
    chunks = list(openai.chat.completions.create(model="reworded", messages=says("be rude"), stream=True))
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert said == answer.choices[0].message.content


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("down", "status_503"),
        ("slow", "timeout"),
        ("huge", "answer_too_large"),
        ("lying", "malformed"),
        ("redirect", "status_307"),
    ],
)
def test_its_troubles_refuse_unless_they_are_allowed(
    openai: OpenAI, stack: Stack, service: GuardrailService, behaviour: str, reason: str
) -> None:
    service.behaviour = behaviour
    before = len(stack.simulator.requests)
    with pytest.raises(BadRequestError, match=reason):
        openai.chat.completions.create(model="judged", messages=says("Hello"))
    assert len(stack.simulator.requests) == before
    raw = openai.chat.completions.with_raw_response.create(model="lenient", messages=says("Hello"))
    assert raw.headers["x-interchange-guardrail-warnings"] == "lenient"
    assert raw.parse().choices


def test_nothing_it_says_about_the_text_is_passed_on(openai: OpenAI, service: GuardrailService) -> None:
    service.behaviour = "chatty"
    with pytest.raises(BadRequestError) as refused:
        openai.chat.completions.create(model="judged", messages=says("my-own-words"))
    assert "my-own-words" not in str(refused.value)


def test_one_that_only_warns_stops_nothing(openai: OpenAI) -> None:
    raw = openai.chat.completions.with_raw_response.create(model="hinted", messages=says("toxic"))
    assert raw.headers["x-interchange-guardrail-warnings"] == "hint"


def test_where_egress_does_not_lead_nobody_is_asked(openai: OpenAI) -> None:
    with pytest.raises(BadRequestError, match="not_allowed_by_egress"):
        openai.chat.completions.create(model="nowhere", messages=says("Hello"))


def test_texts_that_stay_in_a_region_are_not_sent_elsewhere(stack: Stack, service: GuardrailService) -> None:
    with stack.client(**{"x-interchange-residency": "eu-west"}) as client:
        refused = client.post("/v1/chat/completions", json={"model": "judged", "messages": says("Hello")})
    assert refused.status_code in (400, 403)
    assert not service.calls


def test_a_dry_run_asks_it_only_when_told_to(stack: Stack, service: GuardrailService) -> None:
    asked = {"text": "toxic", "guardrails": ["judge"]}
    with stack.client() as client:
        told = client.post("/api/v1/guardrails/check", json=asked).json()
        assert (told["allowed"], told["unasked"]) == (True, ["judge"])
        assert not service.calls
        told = client.post("/api/v1/guardrails/check", json={**asked, "outside": True}).json()
        assert told["allowed"] is False
