"""The `portkey-ai` SDK, pointed at Interchange instead of Portkey."""

from typing import Any

from portkey_ai import Portkey

from tests.clients.families import target
from tests.clients.scenarios import (
    LARGER,
    LEAVING,
    OVERFLOW,
    PROVIDER_ERROR,
    STREAM,
    TEXT,
    TOOLS,
    Client,
    Interchange,
    has,
)

sdk = Client("portkey_sdk")

WEATHER: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def client(here: Interchange) -> Any:
    return Portkey(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, timeout=20)


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@sdk.does(TEXT)
def text(here: Interchange, family: str) -> None:
    answer = client(here).chat.completions.create(model=target(family), messages=said("hello"))
    has(answer.choices[0].message.content, "You said: hello")


@sdk.does(STREAM)
def stream(here: Interchange, family: str) -> None:
    chunks = list(
        client(here).chat.completions.create(model=target(family), messages=said("hello"), stream=True)
    )
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert len(texts) > 3
    has("".join(texts), "You said: hello")


@sdk.does(TOOLS)
def tools(here: Interchange, family: str) -> None:
    offered = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    messages = said('call get_weather {"city": "Bern"}, then call get_weather {"city": "Chur"}')
    called = 0
    for _ in range(4):
        asked = {"model": target(family), "messages": messages, "tools": offered}
        message = client(here).chat.completions.create(**asked).choices[0].message
        if not message.tool_calls:
            break
        called += len(message.tool_calls)
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments},
            }
            for call in message.tool_calls
        ]
        messages.append({"role": "assistant", "content": None, "tool_calls": calls})
        messages += [{"role": "tool", "tool_call_id": call["id"], "content": "17 degrees"} for call in calls]
    assert called == 2
    has(message.content, "17 degrees")


@sdk.does("responses")
def responses(here: Interchange, family: str) -> None:
    answer = client(here).responses.create(model=target(family), input="hello")
    has(answer.output[0].content[0].text, "You said: hello")


@sdk.does(LEAVING)
def leaving(here: Interchange, family: str) -> None:
    with here.leaving(family) as model:
        ours = client(here)
        stream = ours.chat.completions.create(model=model, messages=said("hello"), stream=True)
        next(iter(stream))
        # Its streams have no close of their own; leaving is closing its connections.
        ours.openai_client.close()


@sdk.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    for status, kind in {400: "BadRequestError", 500: "InternalServerError"}.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        try:
            client(here).chat.completions.create(model=f"{family}-fail-{status}", messages=said("hello"))
        except Exception as error:  # noqa: BLE001 - the class is what is looked at
            assert type(error).__name__ == kind, repr(error)
            has(error, f"Trouble number {status}.")
        else:
            raise AssertionError(f"{status} raised nothing")


@sdk.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    long = said("far too long " * 24_000)
    try:
        client(here).chat.completions.create(model=f"{family}-tight-ctx60k", messages=long)
    except Exception as error:  # noqa: BLE001 - the class is what is looked at
        assert type(error).__name__ == "BadRequestError", repr(error)
        has(error, "context_length_exceeded")
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


@sdk.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    long = said("quite long " * 26_000)
    answer = client(here).chat.completions.create(model=f"roomy-{family}", messages=long)
    has(answer.choices[0].message.content, "model small")


@sdk.does("embeddings", "openai", "gemini", why_not="Anthropic has no embeddings")
def embeddings(here: Interchange, family: str) -> None:
    answer = client(here).embeddings.create(model=target(family, "embed"), input=["a", "b"])
    assert len(answer.data) == 2


if __name__ == "__main__":
    sdk.main()
