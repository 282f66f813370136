"""Kept answers over the whole server: dialects, whole and streamed, what headers tell, what is billed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.e2e.stack import Stack

CONFIG = """
providers:
  acme:
    kind: openai
    base_url: "{sim}/openai/v1"
    api_key: k
    models:
      m: &model
        input_usd_per_mtok: 1
        output_usd_per_mtok: 4
        context_tokens: 100000
        capabilities: [text, streaming, function_calling, structured_output]
      e: {input_usd_per_mtok: 1, capabilities: [embeddings]}
  claude:
    kind: anthropic
    base_url: "{sim}/anthropic"
    api_key: k
    models:
      c: *model
routes:
  kept: {targets: [acme/m], cache: {mode: exact}}
  kept-claude: {targets: [claude/c], cache: {mode: exact}}
  vectors: {targets: [acme/e], cache: {mode: exact}}
  plain: {targets: [acme/m]}
"""
HELLO: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("cache"), CONFIG) as running:
        yield running


def chat(stack: Stack, text: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
    body = {"model": "kept", "messages": [{"role": "user", "content": text}], **more}
    answer = httpx.post(
        f"{stack.url}/v1/chat/completions",
        json=body,
        headers={"authorization": f"Bearer {stack.key}", **(headers or {})},
        timeout=20,
    )
    assert answer.status_code == 200, answer.text
    return answer


def test_an_answer_given_again_is_the_same_and_costs_nothing(stack: Stack) -> None:
    first, again = chat(stack, "what is a cache"), chat(stack, "what is a cache")
    assert again.content == first.content
    told = [each.headers["x-interchange-cache"] for each in (first, again)]
    assert told == ["miss", "hit-l1"]
    assert (
        float(first.headers["x-interchange-cost-usd"]) > 0 == float(again.headers["x-interchange-cost-usd"])
    )
    assert again.headers["x-interchange-attempts"] == "0"
    assert again.headers["x-interchange-provider"] == "acme"
    assert again.headers["x-interchange-cache-key"] == first.headers["x-interchange-cache-key"]
    assert int(again.headers["x-interchange-cache-age"]) >= 0


def test_a_route_without_a_cache_says_so(stack: Stack) -> None:
    for _ in range(2):
        assert chat(stack, "off", model="plain").headers["x-interchange-cache"] == "off"


@pytest.mark.parametrize("include_usage", [False, True])
def test_sdks_read_a_replayed_stream_like_the_first(stack: Stack, include_usage: bool) -> None:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        more: Any = {"stream_options": {"include_usage": True}} if include_usage else {}

        def streamed() -> tuple[str, str, Any]:
            raw = sdk.chat.completions.with_raw_response.create(
                model="kept", messages=[{"role": "user", "content": "stream it to me"}], stream=True, **more
            )
            chunks = list(raw.parse())
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            usage = next((c.usage for c in chunks if c.usage), None)
            return raw.headers["x-interchange-cache"], text, usage

        (miss, text, usage), (hit, again, usage_again) = streamed(), streamed()
    assert (miss, hit) == ("miss", "hit-l1") and text == again != ""
    if include_usage:
        assert usage is not None and usage_again.total_tokens == usage.total_tokens
        assert usage.cost > 0 == usage_again.cost


def test_anthropic_callers_get_their_answers_again(stack: Stack) -> None:
    with anthropic.Anthropic(api_key=stack.key, base_url=stack.url, max_retries=0, timeout=20) as sdk:
        ask: Any = {"model": "kept-claude", "max_tokens": 50, "messages": HELLO}
        first = sdk.messages.with_raw_response.create(**ask)
        again = sdk.messages.with_raw_response.create(**ask)
        assert again.headers["x-interchange-cache"] == "hit-l1"
        assert again.parse().content == first.parse().content
        texts = []
        for _ in range(2):
            with sdk.messages.stream(**ask) as stream:
                texts.append(stream.get_final_text())
        assert texts[0] == texts[1] != ""


@pytest.mark.parametrize("stream", [False, True])
def test_the_own_api_says_that_it_was_a_hit(stack: Stack, stream: bool) -> None:
    body = {
        "model_requirements": {"capabilities": ["text"]},
        "request": {"model": "kept", "prompt": f"own api {stream}", "stream": stream},
        "context": {"agent_id": "a", "tenant_id": "default"},
    }
    told = []
    for _ in range(2):
        answer = httpx.post(
            f"{stack.url}/api/v1/llm/complete",
            json=body,
            headers={"authorization": f"Bearer {stack.key}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
        text = answer.text
        if stream:
            text = next(
                line[6:] for line in text.splitlines() if line.startswith("data: {") and "cache_hit" in line
            )
        told.append(json.loads(text))
    assert [each["cache_hit"] for each in told] == [False, True]
    assert told[0]["completion"] == told[1]["completion"] != "" and told[1]["cost"] == 0
    assert told[0]["usage"] == told[1]["usage"]


def test_wishes_of_callers_are_granted_and_bad_ones_refused(stack: Stack) -> None:
    def told(**headers: str) -> str:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return str(chat(stack, "wishes", sent).headers["x-interchange-cache"])

    assert told() == "miss"
    assert told(x_interchange_cache="no-store") == "bypass"
    assert told(x_interchange_cache="no-cache") == "bypass"
    assert told(x_interchange_cache_namespace="other") == "miss"
    assert told(x_interchange_cache_ttl="60") == "hit-l1"
    refused = httpx.post(
        f"{stack.url}/v1/chat/completions",
        json={"model": "kept", "messages": HELLO},
        headers={"authorization": f"Bearer {stack.key}", "x-interchange-cache": "sometimes"},
    )
    assert refused.status_code == 400 and "x-interchange-cache" in refused.text


def test_answers_with_tool_calls_and_cut_ones_are_asked_for_again(stack: Stack) -> None:
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
    for more in ({"tools": [tool]}, {"max_tokens": 1}):
        asked = "use get_weather please" if "tools" in more else "a long story"
        told = [chat(stack, asked, **more).headers["x-interchange-cache"] for _ in range(2)]
        assert told == ["miss", "miss"], more


def test_embeddings_are_kept_too(stack: Stack) -> None:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        told = [
            sdk.embeddings.with_raw_response.create(model="vectors", input="a text").headers for _ in range(2)
        ]
    assert [each["x-interchange-cache"] for each in told] == ["miss", "hit-l1"]


def test_answers_survive_a_restart(tmp_path: Path) -> None:
    with Stack(tmp_path, CONFIG) as running:
        first = chat(running, "remember me")
    with Stack(tmp_path, CONFIG) as running:
        again = chat(running, "remember me")
    assert again.headers["x-interchange-cache"] == "hit-l2" and again.content == first.content
