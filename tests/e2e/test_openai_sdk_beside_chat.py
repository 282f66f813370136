"""Embeddings, text completions, models and forwarded fields, with the official `openai` SDK."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.e2e.stack import Stack
from tests.e2e.three_wires import TRANSLATED, sent, sent_headers

HELLO: Any = [{"role": "user", "content": "hello there"}]


@pytest.fixture
def client(stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=stack.key, base_url=f"{stack.url}/v1", max_retries=0, timeout=20) as sdk:
        yield sdk


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_come_as_floats_of_the_wanted_size(client: openai.OpenAI, wire: str) -> None:
    vectors = client.embeddings.create(
        model=f"{wire}/embed", input=["first text", "second text"], dimensions=8, encoding_format="float"
    )
    assert [one.index for one in vectors.data] == [0, 1]
    assert [len(one.embedding) for one in vectors.data] == [8, 8]
    assert vectors.data[0].embedding != vectors.data[1].embedding
    assert vectors.model


@pytest.mark.parametrize("wire", ["alpha", "gamma"])
def test_embeddings_in_the_sdks_own_base64_equal_the_floats(client: openai.OpenAI, wire: str) -> None:
    packed = client.embeddings.create(model=f"{wire}/embed", input="one text")
    plain = client.embeddings.create(model=f"{wire}/embed", input="one text", encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)


def test_text_completions_are_answered_and_streamed(client: openai.OpenAI) -> None:
    whole = client.completions.create(model="alpha/small", prompt="hello there", max_tokens=200)
    streamed = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(
            model="alpha/small", prompt="hello there", max_tokens=200, stream=True
        )
        if chunk.choices
    )
    assert "hello there" in whole.choices[0].text
    assert streamed == whole.choices[0].text


@pytest.mark.parametrize("wire", TRANSLATED)
def test_text_completions_are_translated(client: openai.OpenAI, wire: str) -> None:
    whole = client.completions.create(model=f"{wire}/small", prompt="hello there", max_tokens=200)
    streamed = "".join(
        chunk.choices[0].text
        for chunk in client.completions.create(
            model=f"{wire}/small", prompt="hello there", max_tokens=200, stream=True
        )
        if chunk.choices
    )
    assert "hello there" in whole.choices[0].text
    assert streamed == whole.choices[0].text


def test_models_list_routes_first_and_one_can_be_retrieved(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[0] == "assistant"
    assert {"auto", "alpha/small", "beta/small", "gamma/embed"} <= set(names)
    assert client.models.retrieve("beta/small").owned_by == "beta"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("beta/none-such")


def test_unknown_parameters_and_vendor_headers_arrive_at_the_provider(
    client: openai.OpenAI, stack: Stack
) -> None:
    client.chat.completions.create(
        model="alpha/small",
        messages=HELLO,
        extra_body={"brand_new_option": {"depth": 3}, "top_k": 7},
        extra_headers={"openai-beta": "brand-new=v1"},
        seed=7,
        user="someone",
        logit_bias={"50256": -100},
    )
    body = sent(stack, "alpha")
    assert body["brand_new_option"] == {"depth": 3}
    assert body["top_k"] == 7
    assert body["seed"] == 7
    assert body["logit_bias"] == {"50256": -100}
    assert body["model"] == "small"
    assert sent_headers(stack, "alpha")["openai-beta"] == "brand-new=v1"


def test_unknown_parameters_arrive_with_streams_too(client: openai.OpenAI, stack: Stack) -> None:
    list(
        client.chat.completions.create(
            model="alpha/small", messages=HELLO, stream=True, extra_body={"brand_new_option": [1, "two"]}
        )
    )
    assert sent(stack, "alpha")["brand_new_option"] == [1, "two"]


@pytest.mark.parametrize("wire", TRANSLATED)
def test_what_a_translation_cannot_say_is_named_in_a_header(client: openai.OpenAI, wire: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=f"{wire}/small", messages=HELLO, extra_body={"brand_new_option": 1}
    )
    assert "brand_new_option" in raw.headers["x-interchange-dropped"]


def test_the_callers_key_never_travels_upstream(client: openai.OpenAI, stack: Stack) -> None:
    client.chat.completions.create(model="alpha/small", messages=HELLO)
    headers = sent_headers(stack, "alpha")
    assert stack.key not in json.dumps(headers)
    assert not [name for name in headers if name.startswith("x-interchange")]


def test_log_probabilities_are_passed_on(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="alpha/small", messages=HELLO, logprobs=True, top_logprobs=2
    )
    logprobs: Any = answer.choices[0].logprobs
    assert len(logprobs.content[0].top_logprobs) == 2


def test_a_refusal_is_shown_as_one(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="alpha/refuser", messages=HELLO)
    assert answer.choices[0].message.refusal


def test_unknown_parameters_arrive_with_embeddings_and_text_completions_too(
    client: openai.OpenAI, stack: Stack
) -> None:
    client.embeddings.create(model="alpha/embed", input="x", extra_body={"brand_new_option": 1})
    assert sent(stack, "alpha")["brand_new_option"] == 1
    client.completions.create(model="alpha/small", prompt="x", extra_body={"brand_new_option": 2})
    assert sent(stack, "alpha")["brand_new_option"] == 2
