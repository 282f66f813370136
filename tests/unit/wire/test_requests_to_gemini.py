"""Chats and messages said in Gemini's generateContent."""

from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE
from tests.unit.wire.calls import HELLO, call, target, thinker
from tests.unit.wire.translations import (
    CALL,
    CONVERSATION,
    TOOL,
    encoded,
    refusal,
    to_gemini,
)


def test_a_conversation_with_tools_reads_like_geminis_own() -> None:
    body, dropped = to_gemini(messages=CONVERSATION, tools=[TOOL], tool_choice="required")
    assert body["systemInstruction"] == {"parts": [{"text": "be kind"}]}
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "hi"}]},
        {
            "role": "model",
            "parts": [
                {"text": "well"},
                {"functionCall": {"name": "f", "args": {"a": 1}}},
                {"functionCall": {"name": "f", "args": {"a": 1}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"r": 2}}},
                {"functionResponse": {"name": "f", "response": {"result": "plain"}}},
                {"text": "and?"},
            ],
        },
    ]
    assert body["tools"][0]["functionDeclarations"][0]["name"] == "f"
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}
    assert "model" not in body and "stream" not in body and dropped == ()


def test_sampling_and_limits_go_into_the_generation_config() -> None:
    body, dropped = to_gemini(temperature=1.7, top_p=0.5, stop="x", n=2, seed=3, max_tokens=9, user="u")
    assert body["generationConfig"] == {
        "temperature": 1.7,
        "topP": 0.5,
        "seed": 3,
        "maxOutputTokens": 9,
        "candidateCount": 2,
        "stopSequences": ["x"],
    }
    assert dropped == ("user",)


def test_media_become_inline_or_linked_data() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
    ]
    body, _ = to_gemini(messages=[{"role": "user", "content": parts}])
    inline, linked, sound = body["contents"][0]["parts"]
    assert inline["inlineData"] == {"mimeType": "image/png", "data": "QUJD"}
    assert linked["fileData"]["fileUri"] == "https://example.org/a.png"
    assert sound["inlineData"]["mimeType"] == "audio/mpeg"


def test_a_signature_of_gemini_travels_with_its_call_and_back() -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "sig"}}}
    said = [*HELLO, {"role": "assistant", "tool_calls": [signed]}]
    body, _ = to_gemini(messages=said)
    assert body["contents"][1]["parts"][0]["thoughtSignature"] == "sig"
    unsigned = [*HELLO, {"role": "assistant", "tool_calls": [CALL]}]
    body, _ = to_gemini(target("gemini-3-pro"), messages=unsigned)
    assert "skip" in body["contents"][1]["parts"][0]["thoughtSignature"]


def test_a_schema_is_reduced_to_what_gemini_understands() -> None:
    schema = {
        "type": "object",
        "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
        "properties": {
            "maybe": {"type": ["string", "null"], "format": "uri"},
            "one": {"const": "x"},
            "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "list": {"type": "array", "items": {"$ref": "#/$defs/node"}},
        },
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    config = to_gemini(response_format=form)[0]["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseSchema"] == {
        "type": "object",
        "properties": {
            "maybe": {"type": "string", "nullable": True},
            "one": {"enum": ["x"], "type": "string"},
            "either": {"type": "integer", "nullable": True},
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"next": {"type": "object"}}},
            },
        },
    }


def test_an_effort_becomes_a_thinking_config() -> None:
    able = thinker().offering.capabilities
    body, _ = to_gemini(target("gemini-2.5-pro", capabilities=able), reasoning_effort="high")
    assert body["generationConfig"]["thinkingConfig"] == {"includeThoughts": True, "thinkingBudget": 16384}
    body, _ = to_gemini(target("gemini-3-pro", capabilities=able), reasoning_effort="minimal")
    assert body["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "low"
    assert to_gemini(reasoning_effort="high")[1] == ("reasoning_effort",)


def test_a_result_without_its_call_is_refused() -> None:
    said = [*HELLO, {"role": "tool", "tool_call_id": "lost", "content": "x"}]
    assert "lost" in refusal(GEMINI_GENERATE, call(messages=said))


def test_anthropic_reaches_gemini_through_the_pivot() -> None:
    asked = call(ANTHROPIC_MESSAGES, system="be kind", top_k=5, inference_geo="us")
    body, dropped = encoded(GEMINI_GENERATE, asked)
    assert body["systemInstruction"] == {"parts": [{"text": "be kind"}]}
    assert body["generationConfig"] == {"topK": 5, "maxOutputTokens": 100}
    assert dropped == ("inference_geo",)
