"""Azure OpenAI and Vertex AI behind the whole server: configured in YAML, proved by tokens, used by SDKs."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import openai
import pytest

from tests.e2e.stack import Stack
from tests.identity.token_server import CLIENT, SECRET, TENANT, TokenServer, token_server

CONFIG = """
providers:
  azure:
    kind: azure
    base_url: "{sim}/azure"
    api_version: "2024-10-21"
    auth:
      kind: entra_client_secret
      tenant_id: %(tenant)s
      client_id: %(client)s
      client_secret: %(secret)s
      authority_url: %(tokens)s
    models:
      gpt-4o: {model: prod-chat}
  vertex:
    kind: vertex
    base_url: "{sim}/vertex"
    project: p-1
    location: europe-west4
    auth: {kind: google_credentials, credentials_file: %(file)s}
    models:
      gemini-2.5-flash: {}
      claude-sonnet-4-5: {}
  unproved:
    kind: azure
    base_url: "{sim}/unproved/openai/v1"
    auth:
      kind: entra_client_secret
      tenant_id: %(tenant)s
      client_id: %(client)s
      client_secret: another-Secret-77
      authority_url: %(tokens)s
    models:
      gpt-4o: {}
routes:
  safe: {strategy: priority, targets: [unproved/gpt-4o, vertex/gemini-2.5-flash]}
"""


@contextmanager
def running_tokens() -> Iterator[TokenServer]:
    """A token server on a loop and thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    served = token_server()
    try:
        yield asyncio.run_coroutine_threadsafe(served.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(served.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("clouds")
    with running_tokens() as tokens:
        file = folder / "robot.json"
        file.write_text(json.dumps(tokens.service_account()))
        config = CONFIG % {
            "tenant": TENANT,
            "client": CLIENT,
            "secret": SECRET,
            "tokens": tokens.base_url,
            "file": file,
        }
        with Stack(folder / "data", config) as stack:
            yield stack


def paths(stack: Stack, provider: str) -> list[str]:
    return [one["path"] for one in stack.simulator.requests if one["provider"] == provider]


@pytest.mark.parametrize("model", ["azure/gpt-4o", "vertex/gemini-2.5-flash", "vertex/claude-sonnet-4-5"])
def test_the_openai_sdk_is_answered_whole_and_streamed(stack: Stack, model: str) -> None:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0)
    messages = [{"role": "user", "content": "hello there"}]
    whole = client.chat.completions.with_raw_response.create(model=model, messages=messages)  # type: ignore[arg-type]
    text = whole.parse().choices[0].message.content
    assert text and float(whole.headers["x-interchange-cost-usd"]) > 0, "the catalogue's price is known"
    with client.chat.completions.stream(model=model, messages=messages) as stream:  # type: ignore[arg-type]
        assert stream.get_final_completion().choices[0].message.content == text


def test_the_anthropic_sdk_reaches_claude_at_vertex_in_its_own_shape(stack: Stack) -> None:
    client = anthropic.Anthropic(base_url=stack.url, api_key=stack.key, max_retries=0)
    with client.messages.stream(
        model="vertex/claude-sonnet-4-5", max_tokens=500, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        assert stream.get_final_message().stop_reason == "end_turn"
    counted = client.messages.count_tokens(
        model="vertex/claude-sonnet-4-5", messages=[{"role": "user", "content": "hi"}]
    )
    assert counted.input_tokens > 0
    assert [path.rsplit("/", 1)[-1] for path in paths(stack, "vertex")[-2:]] == [
        "claude-sonnet-4-5:streamRawPredict",
        "count-tokens:rawPredict",
    ]


def test_a_deployment_is_asked_by_its_own_name(stack: Stack) -> None:
    client = openai.OpenAI(base_url=f"{stack.url}/v1", api_key=stack.key, max_retries=0)
    client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": "hi"}])
    assert paths(stack, "azure")[-1] == "/openai/deployments/prod-chat/chat/completions"


def test_an_identity_that_is_refused_fails_over(stack: Stack) -> None:
    with stack.client() as client:
        answer = client.post(
            "/v1/chat/completions", json={"model": "safe", "messages": [{"role": "user", "content": "hi"}]}
        )
    assert answer.status_code == 200 and answer.json()["choices"][0]["message"]["content"]
    assert paths(stack, "unproved") == [], "nothing was sent without a proof"


def test_an_identity_that_is_refused_is_told_without_its_secret(stack: Stack) -> None:
    with stack.client() as client:
        answer = client.post(
            "/v1/chat/completions",
            json={"model": "unproved/gpt-4o", "messages": [{"role": "user", "content": "hi"}]},
        )
    assert answer.status_code >= 500
    assert (
        "another-Secret-77" not in answer.text and CLIENT not in answer.text and "app 123" not in answer.text
    )
