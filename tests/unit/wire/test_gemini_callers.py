"""Bodies of Gemini's callers: their heads, and the same said in other families' dialects."""

import json
from typing import Any

import pytest

from adapters.wire.heads import DialectReader
from application.ports.llm import UpstreamCall
from application.ports.wire import (
    ANTHROPIC_COUNT_TOKENS,
    ANTHROPIC_MESSAGES,
    GEMINI_COUNT_TOKENS,
    GEMINI_EMBEDDINGS,
    GEMINI_GENERATE,
    OPENAI_CHAT,
    OPENAI_EMBEDDINGS,
)
from domain.errors import InvalidRequest
from domain.llm.capabilities import Capability
from domain.routing.target import Target
from domain.time import Timeouts
from tests.unit.wire.calls import target, thinker
from tests.unit.wire.translations import encoded, refusal

READER = DialectReader()
HELLO: list[dict[str, Any]] = [{"role": "user", "parts": [{"text": "hello"}]}]
PIXEL = {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}


def asked(
    body: dict[str, Any], dialect: str = GEMINI_GENERATE, *, to: Target | None = None, stream: bool = False
) -> UpstreamCall:
    request = READER.read(dialect, json.dumps(body).encode())
    request.model, request.stream = "m", stream
    return UpstreamCall(request, to or target(), Timeouts(), 600.0, "req_1")


def chat(to: Target | None = None, **body: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return encoded(OPENAI_CHAT, asked({"contents": HELLO, **body}, to=to))


def test_the_head_shows_what_a_body_needs_in_either_spelling() -> None:
    tools = [{"function_declarations": [{"name": "f"}]}]
    config = {
        "max_output_tokens": 9,
        "candidate_count": 2,
        "response_mime_type": "application/json",
        "thinking_config": {"thinking_budget": 5},
    }
    sound = {"inline_data": {"mime_type": "audio/wav", "data": "QUJD"}}
    contents = [{"role": "user", "parts": [PIXEL, sound]}]
    head = asked({"contents": contents, "generation_config": config, "tools": tools}).request
    assert head.max_output_tokens == 9 and head.choices == 2 and not head.plain_text
    for need in ("VISION", "AUDIO_IN", "FUNCTION_CALLING", "STRUCTURED_OUTPUT", "REASONING", "TEXT"):
        assert Capability[need] in head.needs, need
    plain = asked({"contents": HELLO, "generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}}).request
    assert plain.needs == Capability.TEXT and plain.plain_text and plain.include_usage


@pytest.mark.parametrize(
    ("dialect", "body", "param"),
    [
        (GEMINI_GENERATE, {}, "contents"),
        (GEMINI_GENERATE, {"contents": []}, "contents"),
        (
            GEMINI_GENERATE,
            {"contents": HELLO, "generationConfig": {"maxOutputTokens": 0}},
            "generationConfig",
        ),
        (GEMINI_COUNT_TOKENS, {}, "contents"),
        (GEMINI_EMBEDDINGS, {}, "content"),
        (GEMINI_EMBEDDINGS, {"requests": []}, "requests"),
    ],
)
def test_a_body_without_its_fields_is_refused_by_path(dialect: str, body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        READER.read(dialect, json.dumps(body).encode())
    assert (caught.value.param or "").startswith(param)


def test_a_conversation_with_calls_becomes_a_chat_with_paired_ids() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    contents = [
        *HELLO,
        {
            "role": "model",
            "parts": [{"text": "well"}, call, {"functionCall": {"name": "f", "args": {"a": 2}}}],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "one"}}},
                {"functionResponse": {"name": "f", "response": {"error": "no"}, "parts": [PIXEL]}},
                {"text": "and?"},
            ],
        },
    ]
    body, dropped = chat(contents=contents, systemInstruction={"parts": [{"text": "be kind"}]})
    system, hello, answer, first, second, rest = body["messages"]
    assert system == {"role": "system", "content": "be kind"} and hello["content"] == "hello"
    ids = [made["id"] for made in answer["tool_calls"]]
    assert answer["content"] == "well" and len(set(ids)) == 2
    assert first == {"role": "tool", "tool_call_id": ids[0], "content": "one"}
    assert second == {"role": "tool", "tool_call_id": ids[1], "content": "Error: no"}
    assert [part["type"] for part in rest["content"]] == ["image_url", "text"]
    assert dropped == ()


def test_sampling_formats_tools_and_their_choice_have_counterparts() -> None:
    schema = {"type": "OBJECT", "properties": {"n": {"type": "STRING", "nullable": True}}, "required": ["n"]}
    config = {
        "temperature": 0.5, "topP": 0.9, "maxOutputTokens": 7, "stopSequences": ["x"], "candidateCount": 2,
        "seed": 3, "presencePenalty": 0.1, "frequencyPenalty": 0.2, "responseLogprobs": True, "logprobs": 4,
        "responseMimeType": "application/json", "responseSchema": schema,
    }  # fmt: skip
    tools = [{"functionDeclarations": [{"name": "f", "description": "d", "parameters": schema}]}]
    choice = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    body, dropped = chat(generationConfig=config, tools=tools, toolConfig=choice)
    assert dropped == ()
    lowered = {
        "type": "object",
        "properties": {"n": {"type": ["string", "null"]}},
        "required": ["n"],
    }
    assert body["response_format"]["json_schema"]["schema"] == lowered
    assert body["tools"][0]["function"] == {"name": "f", "parameters": lowered, "description": "d"}
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    said = {name: body[name] for name in ("temperature", "top_p", "max_tokens", "stop", "n", "seed")}
    assert said == {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["x"], "n": 2, "seed": 3}
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.1, 0.2)
    assert (body["logprobs"], body["top_logprobs"]) == (True, 4)


@pytest.mark.parametrize(
    ("config", "effort"),
    [
        ({"thinkingBudget": 1000}, "low"),
        ({"thinkingBudget": 4096}, "medium"),
        ({"thinkingBudget": 20_000}, "xhigh"),
        ({"thinkingBudget": 0}, "none"),
        ({"thinkingLevel": "HIGH"}, "high"),
        ({"thinkingBudget": -1}, None),
        ({"includeThoughts": True}, None),
    ],
)
def test_thinking_becomes_an_effort_where_the_model_reasons(
    config: dict[str, Any], effort: str | None
) -> None:
    body, dropped = chat(thinker(), generationConfig={"thinkingConfig": config})
    assert body.get("reasoning_effort") == effort and dropped == ()


def test_what_only_gemini_has_is_dropped_by_path_or_refused() -> None:
    config = {
        "mediaResolution": "LOW",
        "speechConfig": {"voice": "x"},
        "thinkingConfig": {"thinkingBudget": 9},
    }
    contents = [{"role": "user", "parts": [{"text": "x", "videoMetadata": {"fps": 1}}]}]
    _, dropped = chat(
        contents=contents,
        generationConfig=config,
        tools=[{"googleSearch": {}}],
        safetySettings=[{"category": "x"}],
        toolConfig={"retrievalConfig": {"languageCode": "en"}},
    )
    assert set(dropped) == {
        "safetySettings",
        "contents.parts.videoMetadata",
        "generationConfig.mediaResolution",
        "generationConfig.speechConfig",
        "generationConfig.thinkingConfig",
        "tools.googleSearch",
        "toolConfig.retrievalConfig",
    }
    video = [{"role": "user", "parts": [{"inlineData": {"mimeType": "video/mp4", "data": "QUJD"}}]}]
    stored = [{"role": "user", "parts": [{"fileData": {"mimeType": "image/png", "fileUri": "gs://b/x.png"}}]}]
    lost = [{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]
    for body, said in (
        ({"contents": HELLO, "cachedContent": "cachedContents/1"}, "cachedContent"),
        ({"contents": video}, "video/mp4"),
        ({"contents": stored}, "another provider's account"),
        ({"contents": lost}, "belongs to no call"),
        ({"contents": HELLO, "generationConfig": {"responseModalities": ["AUDIO"]}}, "responseModalities"),
        ({"contents": HELLO, "generationConfig": {"responseMimeType": "text/x.enum"}}, "responseMimeType"),
    ):
        assert said in refusal(OPENAI_CHAT, asked(body))


def test_media_reach_other_families() -> None:
    def of(kind: str) -> dict[str, Any]:
        return {"inlineData": {"mimeType": kind, "data": "aGV5"}}

    parts = [of("image/webp"), of("audio/mpeg"), of("application/pdf"), of("text/plain")]
    body, _ = chat(contents=[{"role": "user", "parts": parts}])
    image, sound, file, text = body["messages"][0]["content"]
    assert image["image_url"]["url"] == "data:image/webp;base64,aGV5"
    assert sound["input_audio"] == {"data": "aGV5", "format": "mp3"}
    assert file["file"]["file_data"] == "data:application/pdf;base64,aGV5" and text["text"] == "hey"


def test_a_call_reaches_anthropic_with_its_limit_and_stream() -> None:
    call = asked({"contents": HELLO, "generationConfig": {"topK": 4, "maxOutputTokens": 50}}, stream=True)
    body, dropped = encoded(ANTHROPIC_MESSAGES, call)
    assert body["top_k"] == 4 and body["max_tokens"] == 50 and body["stream"] is True and dropped == ()


def test_tokens_are_counted_across_families() -> None:
    whole = {"generateContentRequest": {"contents": HELLO, "systemInstruction": {"parts": [{"text": "s"}]}}}
    for given in ({"contents": HELLO}, whole):
        body, _ = encoded(ANTHROPIC_COUNT_TOKENS, asked(given, GEMINI_COUNT_TOKENS))
        assert body["messages"][0]["content"][0]["text"] == "hello" and "max_tokens" not in body
    question = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "system": "s"}
    request = READER.read(ANTHROPIC_COUNT_TOKENS, json.dumps(question).encode())
    call = UpstreamCall(request, target("g"), Timeouts(), 600.0, "req_1")
    body, _ = encoded(GEMINI_COUNT_TOKENS, call)
    inner = body["generateContentRequest"]
    assert inner["model"] == "models/g" and inner["contents"] == HELLO
    assert inner["systemInstruction"] == {"parts": [{"text": "s"}]}


def test_embeddings_are_asked_for_in_one_batch() -> None:
    single = {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8, "taskType": "RETRIEVAL_QUERY"}
    body, dropped = encoded(GEMINI_EMBEDDINGS, asked(single, GEMINI_EMBEDDINGS, to=target("e")))
    assert body == {"requests": [{**single, "model": "models/e"}]} and dropped == ()
    body, dropped = encoded(OPENAI_EMBEDDINGS, asked({"requests": [single, single]}, GEMINI_EMBEDDINGS))
    assert body == {"model": "m", "input": ["a", "a"], "encoding_format": "float", "dimensions": 8}
    assert dropped == ("requests.taskType",)
    picture = {"content": {"parts": [PIXEL]}}
    assert "texts only" in refusal(OPENAI_EMBEDDINGS, asked(picture, GEMINI_EMBEDDINGS))
