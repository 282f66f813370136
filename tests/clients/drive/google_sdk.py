"""The `google-genai` SDK: contents, streams, functions it calls by itself, schemas, counts and vectors."""

import asyncio
import json
from functools import cache
from typing import Any

import pydantic
from google import genai
from google.genai import errors, types

from tests.clients.families import target
from tests.clients.scenarios import (
    LARGER,
    LEAVING,
    OVERFLOW,
    PARSED,
    PROVIDER_ERROR,
    REASONING,
    STREAM,
    TEXT,
    TOOLS,
    Client,
    Interchange,
    has,
)

sdk = Client("google_sdk")

CALL = 'call get_weather {"city": "Bern"}, then call get_weather {"city": "Chur"}'


class Weather(pydantic.BaseModel):
    """What the parser is asked for."""

    city: str
    days: int


@cache
def client(here: Interchange) -> genai.Client:
    """One for all scenarios: a client that nobody holds any more closes its connections."""
    options = types.HttpOptions(base_url=here.url, timeout=20_000)
    return genai.Client(api_key=here.key, http_options=options)


@sdk.does(TEXT)
def text(here: Interchange, family: str) -> None:
    config = types.GenerateContentConfig(system_instruction="Be brief.")
    answer = client(here).models.generate_content(model=target(family), contents="hello", config=config)
    has(answer.text, "You said: hello")
    assert answer.usage_metadata is not None and answer.usage_metadata.candidates_token_count


@sdk.does(STREAM)
def stream(here: Interchange, family: str) -> None:
    chunks = list(client(here).models.generate_content_stream(model=target(family), contents="hello"))
    assert len(chunks) > 3
    has("".join(chunk.text or "" for chunk in chunks), "You said: hello")
    assert chunks[-1].candidates is not None and chunks[-1].candidates[0].finish_reason == "STOP"


@sdk.does(TOOLS)
def tools(here: Interchange, family: str) -> None:
    cities: list[str] = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        cities.append(city)
        return f"{city}: 17 degrees"

    chat = client(here).chats.create(
        model=target(family), config=types.GenerateContentConfig(tools=[get_weather])
    )
    has(chat.send_message(CALL).text, "Chur: 17 degrees")
    has(chat.send_message('call get_weather {"city": "Visp"}').text, "Visp: 17 degrees")
    assert cities == ["Bern", "Chur", "Visp"], cities


@sdk.does(PARSED)
def parsed(here: Interchange, family: str) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Weather)
    answer = client(here).models.generate_content(model=target(family), contents="weather", config=config)
    assert isinstance(answer.parsed, Weather), answer.text


@sdk.does(REASONING)
def reasoning(here: Interchange, family: str) -> None:
    config = types.GenerateContentConfig(
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    )
    chat = client(here).chats.create(model=target(family, "think"), config=config)
    first: Any = chat.send_message("hello")
    parts = first.candidates[0].content.parts
    assert parts[0].thought and not parts[-1].thought, parts
    has(chat.send_message("And now?").text, "And now?")
    if family != "openai":  # Chat has no way to give reasoning back.
        has(here.text_sent(family), {"anthropic": '"signature"', "gemini": "thoughtSignature"}[family])


@sdk.does(LEAVING)
async def leaving(here: Interchange, family: str) -> None:
    async with here.leaving_async(family) as model:
        started = asyncio.Event()

        async def listen() -> None:
            api = client(here).aio.models
            async for _ in await api.generate_content_stream(model=model, contents="hello"):
                started.set()

        listening = asyncio.create_task(listen())
        await asyncio.wait_for(started.wait(), 10)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


@sdk.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    for status, kind in {400: errors.ClientError, 429: errors.ClientError, 500: errors.ServerError}.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        try:
            client(here).models.generate_content(model=f"{family}-fail-{status}", contents="hello")
        except kind as error:
            has(error, f"Trouble number {status}.")
        else:
            raise AssertionError(f"{status} raised nothing")


@sdk.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    long = "far too long " * 24_000
    try:
        client(here).models.generate_content(model=f"{family}-tight-ctx60k", contents=long)
    except errors.ClientError as error:
        assert error.code == 400, error
        has(error, "exceeds the maximum number of tokens")
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


@sdk.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    long = "quite long " * 26_000
    has(client(here).models.generate_content(model=f"roomy-{family}", contents=long).text, "model small")


@sdk.does("count_tokens")
def count_tokens(here: Interchange, family: str) -> None:
    assert client(here).models.count_tokens(model=target(family), contents="hello").total_tokens


@sdk.does("embeddings", "openai", "gemini", why_not="Anthropic has no embeddings")
def embeddings(here: Interchange, family: str) -> None:
    config = types.EmbedContentConfig(output_dimensionality=8)
    contents: Any = ["a", "b"]
    answer: Any = client(here).models.embed_content(
        model=target(family, "embed"), contents=contents, config=config
    )
    assert [len(one.values) for one in answer.embeddings] == [8, 8]


@sdk.does("models", "gemini")
def models(here: Interchange, family: str) -> None:
    assert f"models/{target(family)}" in {model.name for model in client(here).models.list()}


@sdk.does("schema as JSON")
def json_schema(here: Interchange, family: str) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=schema)
    answer = client(here).models.generate_content(model=target(family), contents="weather", config=config)
    assert set(json.loads(answer.text or "")) == {"city"}


if __name__ == "__main__":
    sdk.main()
