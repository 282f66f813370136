"""The `anthropic` SDK: messages, streams, tools, thinking, counting, and the beta API."""

import json
from typing import Any

import anthropic

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

sdk = Client("anthropic_sdk")

WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: Any = {"name": "get_weather", "description": "The weather of a city.", "input_schema": WEATHER}
CALL = (
    'call get_weather {"city": "Bern"} and call get_weather {"city": "Chur"}, '
    'then call get_weather {"city": "Visp"}'
)
THINKING: Any = {"type": "enabled", "budget_tokens": 1024}


def client(here: Interchange) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        auth_token=here.key, api_key=None, base_url=here.url, max_retries=0, timeout=20
    )


def asked(model: str, text: str = "hello", **more: Any) -> dict[str, Any]:
    return {"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": text}], **more}


@sdk.does(TEXT)
def text(here: Interchange, family: str) -> None:
    answer = client(here).messages.create(**asked(target(family), system="Be brief."))
    has(answer.content[0].text, "You said: hello")
    assert answer.stop_reason == "end_turn" and answer.usage.output_tokens > 0


@sdk.does(STREAM)
def stream(here: Interchange, family: str) -> None:
    with client(here).messages.stream(**asked(target(family))) as events:
        texts = list(events.text_stream)
        final = events.get_final_message()
    assert len(texts) > 3 and "".join(texts) == final.content[0].text  # type: ignore[union-attr]
    assert final.usage.output_tokens > 0


@sdk.does(TOOLS)
def tools(here: Interchange, family: str) -> None:
    wanted = asked(target(family), CALL, tools=[TOOL])
    cities: list[str] = []
    answer: Any = None
    for _ in range(4):
        with client(here).messages.stream(**wanted) as events:
            answer = events.get_final_message()
        wanted["messages"].append({"role": "assistant", "content": answer.content})
        calls = [block for block in answer.content if block.type == "tool_use"]
        if not calls:
            break
        cities += [call.input["city"] for call in calls]
        results = [
            {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.input['city']}: 17 degrees"}
            for call in calls
        ]
        wanted["messages"].append({"role": "user", "content": results})
    assert cities == ["Bern", "Chur", "Visp"], cities
    has(answer.content[0].text, "Visp: 17 degrees")


@sdk.does(PARSED)
def parsed(here: Interchange, family: str) -> None:
    form = {"format": {"type": "json_schema", "schema": WEATHER}}
    answer = client(here).messages.create(**asked(target(family), output_config=form))
    assert set(json.loads(answer.content[0].text)) == {"city"}


@sdk.does(REASONING)
def reasoning(here: Interchange, family: str) -> None:
    wanted = asked(target(family, "think"), thinking=THINKING)
    with client(here).messages.stream(**wanted) as events:
        first = events.get_final_message()
    assert [block.type for block in first.content] == ["thinking", "text"], first.content
    wanted["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": "And now?"},
    ]
    has(client(here).messages.create(**wanted).content[-1].text, "And now?")
    if family != "openai":  # Chat has no way to give reasoning back.
        has(here.text_sent(family), {"anthropic": '"signature"', "gemini": "thoughtSignature"}[family])


@sdk.does("beta API and header")
def beta(here: Interchange, family: str) -> None:
    wanted = asked(target(family), betas=["context-management-2025-06-27"])
    edits: Any = {"edits": [{"type": "clear_tool_uses_20250919"}]}
    has(client(here).beta.messages.create(context_management=edits, **wanted).content[0].text, "hello")
    (request,) = here.sent(family)
    if family == "anthropic":
        has(request["headers"]["anthropic-beta"], "context-management-2025-06-27")
        assert request["body"]["context_management"] == edits
    else:
        assert "context_management" not in request["body"]


@sdk.does("count_tokens")
def count_tokens(here: Interchange, family: str) -> None:
    wanted = asked(target(family))
    wanted.pop("max_tokens")
    assert client(here).messages.count_tokens(**wanted).input_tokens > 0


@sdk.does(LEAVING)
def leaving(here: Interchange, family: str) -> None:
    with here.leaving(family) as model:
        events = client(here).messages.create(stream=True, **asked(model))
        next(iter(events))
        events.close()


@sdk.does(PROVIDER_ERROR)
def provider_error(here: Interchange, family: str) -> None:
    kinds = {
        400: anthropic.BadRequestError, 429: anthropic.RateLimitError, 500: anthropic.InternalServerError,
        529: anthropic.InternalServerError,
    }  # fmt: skip
    for status, kind in kinds.items():
        here.fault(f"fail-{status}", status=status, message=f"Trouble number {status}.")
        try:
            client(here).messages.create(**asked(f"{family}-fail-{status}"))
        except kind as error:
            has(error, f"Trouble number {status}.")
        else:
            raise AssertionError(f"{status} raised nothing")


@sdk.does(OVERFLOW)
def overflow(here: Interchange, family: str) -> None:
    try:
        client(here).messages.create(**asked(f"{family}-tight-ctx60k", "far too long " * 24_000))
    except anthropic.BadRequestError as error:
        has(error, "prompt is too long")
    else:
        raise AssertionError("a prompt of 70,000 tokens was taken")


@sdk.does(LARGER)
def larger_window(here: Interchange, family: str) -> None:
    answer = client(here).messages.create(**asked(f"roomy-{family}", "quite long " * 26_000))
    has(answer.content[0].text, "model small")


@sdk.does("models", "anthropic")
def models(here: Interchange, family: str) -> None:
    assert target(family) in {model.id for model in client(here).models.list()}


if __name__ == "__main__":
    sdk.main()
