"""The `openai` SDK: chat, responses, vectors, files and batches."""

import io
import json
from typing import Any

import openai
import pydantic

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
    wait_until,
)

sdk = Client("openai_sdk")

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
CALL = 'call get_weather {"city": "Bern", "days": 2}, then call get_weather {"city": "Basel", "days": 1}'


class Weather(pydantic.BaseModel):
    """What the parsers are asked for."""

    city: str
    days: int


def client(here: Interchange) -> openai.OpenAI:
    return openai.OpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, timeout=20)


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


@sdk.does(f"chat: {TEXT}")
def chat_text(here: Interchange, family: str) -> None:
    answer = client(here).chat.completions.create(model=target(family), messages=said("hello"))
    has(answer.choices[0].message.content, "You said: hello")
    assert answer.usage is not None and answer.usage.completion_tokens > 0


@sdk.does(f"chat: {STREAM}")
def chat_stream(here: Interchange, family: str) -> None:
    asked: Any = {
        "model": target(family),
        "messages": said("hello"),
        "stream_options": {"include_usage": True},
    }
    with client(here).chat.completions.stream(**asked) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("content.delta") > 3
    has(final.choices[0].message.content, "You said: hello")
    assert final.usage is not None and final.usage.completion_tokens > 0


@sdk.does(f"chat: {TOOLS}")
def chat_tools(here: Interchange, family: str) -> None:
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}]
    messages, cities = said(CALL), []
    for _ in range(4):
        asked: Any = {"model": target(family), "messages": messages, "tools": tools}
        message: Any = client(here).chat.completions.create(**asked).choices[0].message
        messages.append(message.to_dict())
        if not message.tool_calls:
            break
        for call in message.tool_calls:
            cities.append(json.loads(call.function.arguments)["city"])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": f"{cities[-1]}: 17 degrees"})
    assert cities == ["Bern", "Basel"], cities
    has(messages[-1]["content"], "Basel: 17 degrees")


@sdk.does(f"chat: {PARSED}")
def chat_parsed(here: Interchange, family: str) -> None:
    asked: Any = {"model": target(family), "messages": said("weather"), "response_format": Weather}
    assert isinstance(client(here).chat.completions.parse(**asked).choices[0].message.parsed, Weather)


@sdk.does(f"responses: {TEXT}")
def responses_text(here: Interchange, family: str) -> None:
    answer = client(here).responses.create(model=target(family), input="hello", instructions="Be brief.")
    has(answer.output_text, "You said: hello")


@sdk.does(f"responses: {STREAM}")
def responses_stream(here: Interchange, family: str) -> None:
    with client(here).responses.stream(model=target(family), input="hello") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed"
    has(final.output_text, "You said: hello")


@sdk.does(f"responses: {TOOLS}")
def responses_tools(here: Interchange, family: str) -> None:
    tools: Any = [{"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": True}]
    items, cities, answer = said(CALL), [], None
    for _ in range(4):
        answer = client(here).responses.create(model=target(family), input=items, tools=tools, store=False)
        items += [item.to_dict() for item in answer.output]
        calls: list[Any] = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            break
        for call in calls:
            cities.append(json.loads(call.arguments)["city"])
            result = f"{cities[-1]}: 17 degrees"
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": result})
    assert cities == ["Bern", "Basel"] and answer is not None
    has(answer.output_text, "Basel: 17 degrees")


@sdk.does(f"responses: {PARSED}")
def responses_parsed(here: Interchange, family: str) -> None:
    answer = client(here).responses.parse(model=target(family), input="weather", text_format=Weather)
    assert isinstance(answer.output_parsed, Weather)


@sdk.does(f"responses: {REASONING}")
def responses_reasoning(here: Interchange, family: str) -> None:
    asked: Any = {
        "model": target(family, "think"),
        "include": ["reasoning.encrypted_content"],
        "store": False,
    }
    first = client(here).responses.create(input="hello", reasoning={"effort": "low"}, **asked)
    assert first.output[0].type == "reasoning", first.output
    items = [*said("hello"), *(item.to_dict() for item in first.output), *said("And now?")]
    has(client(here).responses.create(input=items, **asked).output_text, "And now?")
    mark = {"openai": '"encrypted_content": "', "anthropic": '"signature"', "gemini": "thoughtSignature"}
    has(here.text_sent(family), mark[family])


@sdk.does("responses: previous_response_id", "openai", why_not="only a provider that keeps answers has it")
def previous_response(here: Interchange, family: str) -> None:
    api = client(here).responses
    first = api.create(model=target(family), input="Remember 4711.")
    second = api.create(model=target(family), input="Which number?", previous_response_id=first.id)
    has(second.output_text, "Which number?")
    assert api.retrieve(first.id).output_text == first.output_text
    api.delete(first.id)
    try:
        api.create(model=target(family), input="?", previous_response_id="resp_unknown")
    except openai.BadRequestError as error:
        assert error.code == "previous_response_not_found", error
    else:
        raise AssertionError("an unknown id was taken")


@sdk.does("responses: websocket refused", "openai")
def websocket(here: Interchange, family: str) -> None:
    try:
        with client(here).responses.connect() as connection:
            connection.recv()
    except Exception as error:  # noqa: BLE001 - which class depends on the websocket library
        has(f"{type(error).__name__} {error}", "426")
    else:
        raise AssertionError("a websocket was opened")


@sdk.does(LEAVING)
def leaving(here: Interchange, family: str) -> None:
    with here.leaving(family) as model:
        stream = client(here).chat.completions.create(model=model, messages=said("hello"), stream=True)
        next(iter(stream))
        stream.close()


@sdk.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    expected = {400: openai.BadRequestError, 429: openai.RateLimitError, 500: openai.InternalServerError}
    for status, kind in expected.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        # After a 429 the provider is left alone for a while, so it is asked once.
        for ask in (_ask_chat,) if status == 429 else (_ask_chat, _ask_responses):
            try:
                ask(here, f"{family}-fail-{status}", "hello")
            except kind as error:
                has(error, f"Trouble number {status}.")
            else:
                raise AssertionError(f"{status} raised nothing")


def _ask_chat(here: Interchange, model: str, text: str) -> Any:
    return client(here).chat.completions.create(model=model, messages=said(text))


def _ask_responses(here: Interchange, model: str, text: str) -> Any:
    return client(here).responses.create(model=model, input=text)


@sdk.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    for ask in (_ask_chat, _ask_responses):
        try:
            ask(here, f"{family}-tight-ctx60k", "far too long " * 24_000)
        except openai.BadRequestError as error:
            assert error.code == "context_length_exceeded", error
        else:
            raise AssertionError("a prompt of 70,000 tokens was taken")


@sdk.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    has(_ask_responses(here, f"roomy-{family}", "quite long " * 26_000).output_text, "model small")


@sdk.does("embeddings", "openai", "gemini", why_not="Anthropic has no embeddings")
def embeddings(here: Interchange, family: str) -> None:
    answer = client(here).embeddings.create(model=target(family, "embed"), input=["a", "b"], dimensions=8)
    assert [len(one.embedding) for one in answer.data] == [8, 8]


@sdk.does("files and batches")
def batches(here: Interchange, family: str) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions"}
    body = {"model": target(family), "messages": said("hello")}
    api = client(here)
    content = io.BytesIO(json.dumps({**line, "body": body}).encode())
    file = api.files.create(file=("lines.jsonl", content), purpose="batch")
    made = api.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    wait_until(lambda: api.batches.retrieve(made.id).status == "completed", "the batch completed", 20)
    output = api.batches.retrieve(made.id).output_file_id
    assert output is not None
    has(api.files.content(output).text, "You said: hello")


@sdk.does("models", "openai")
def models(here: Interchange, family: str) -> None:
    assert target(family) in {model.id for model in client(here).models.list()}


if __name__ == "__main__":
    sdk.main()
