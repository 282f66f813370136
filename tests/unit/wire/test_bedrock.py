"""Bedrock's Converse: requests, answers, streams and errors, translated from and to OpenAI's chats."""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.providers.aws import base_url, path
from adapters.providers.family import Address
from adapters.wire.addresses import parse_base
from adapters.wire.bedrock import BEDROCK_CONVERSE, STOP_REASONS
from adapters.wire.errors import read_failure
from adapters.wire.eventstream import encoded
from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamFailed
from application.ports.wire import OPENAI_CHAT
from domain.llm.capabilities import Capability
from domain.llm.failures import FailureKind
from domain.llm.stream import Faulted, StreamEvent, StreamMachine, UsageReported
from tests.unit.wire.calls import call, target

CLAUDE = "us.anthropic.claude-3-7-sonnet-20250219-v1:0"
PNG = b64encode(b"\x89PNG").decode()
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def to(model: str = CLAUDE) -> Any:
    return target(model, wire="bedrock", capabilities=Capability.TEXT | Capability.REASONING)


def said(model: str = CLAUDE, dialect: str = OPENAI_CHAT, **fields: Any) -> tuple[dict[str, Any], set[str]]:
    """The body sent for a chat, and what was dropped."""
    encoded_request = codec_for(dialect, BEDROCK_CONVERSE).request(call(dialect, to=to(model), **fields))
    return json.loads(encoded_request.body), set(encoded_request.dropped)


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


# -- requests ---------------------------------------------------------------------------------------


def test_a_chat_becomes_system_messages_and_inference_settings() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
        {"role": "assistant", "content": "c "},
    ]
    body, dropped = said(messages=messages, max_tokens=9, temperature=0.5, stop=["x"], user="u-1")
    assert body == {
        "messages": [
            {"role": "user", "content": [{"text": "a"}, {"text": "b"}]},
            {"role": "assistant", "content": [{"text": "c"}]},
        ],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["x"]},
        "requestMetadata": {"user": "u-1"},
    }
    assert dropped == set()


def test_images_and_documents_travel_with_their_data() -> None:
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    file = {"filename": "Q3_report (1).pdf", "file_data": f"data:application/pdf;base64,{PNG}"}
    body, _ = said(messages=user(image, {"type": "file", "file": file}, {"type": "text", "text": "look"}))
    assert body["messages"][0]["content"] == [
        {"image": {"format": "png", "source": {"bytes": PNG}}},
        {"document": {"format": "pdf", "name": "Q3 report (1)", "source": {"bytes": PNG}}},
        {"text": "look"},
    ]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/tiff;base64,{PNG}"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}},
    ],
)
def test_what_has_no_counterpart_is_refused_and_not_lost(part: dict[str, Any]) -> None:
    with pytest.raises(UpstreamFailed) as caught:
        said(messages=user(part))
    assert caught.value.failure.kind is FailureKind.CALLER_FAULT


def test_tools_their_calls_and_results_are_said_in_converses_words() -> None:
    ask = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
    messages = [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [ask]},
        {"role": "tool", "tool_call_id": "t1", "content": '{"seen": true}'},
    ]
    body, _ = said(messages=messages, tools=[TOOL], tool_choice="required")
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": 1}}}],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "t1", "content": [{"json": {"seen": True}}]}}],
        },
    ]
    assert body["toolConfig"] == {
        "tools": [{"toolSpec": {"name": "look", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"any": {}},
    }
    named = {"type": "function", "function": {"name": "look"}}
    body, _ = said(tools=[TOOL], tool_choice=named)
    assert body["toolConfig"]["toolChoice"] == {"tool": {"name": "look"}}
    body, _ = said(tools=[TOOL], tool_choice="none")
    assert "toolConfig" not in body


def test_cache_marks_become_cache_points_after_their_blocks() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    system = {"role": "system", "content": [{"type": "text", "text": "Long.", "cache_control": mark}]}
    body, _ = said(messages=[system, {"role": "user", "content": "hi"}])
    assert body["system"] == [{"text": "Long."}, {"cachePoint": {"type": "default", "ttl": "1h"}}]
    marked = {**TOOL, "cache_control": {"type": "ephemeral"}}
    body, _ = said(tools=[marked])
    assert body["toolConfig"]["tools"][-1] == {"cachePoint": {"type": "default"}}


def test_thinking_is_asked_for_in_the_words_of_the_models_maker() -> None:
    body, dropped = said(reasoning_effort="low", max_tokens=8000, temperature=0.2, top_k=5)
    assert body["additionalModelRequestFields"]["thinking"]["type"] == "enabled"
    assert body["inferenceConfig"] == {"maxTokens": 8000} and dropped == {"temperature", "top_k"}
    body, _ = said("amazon.nova-2-lite-v1:0", reasoning_effort="low")
    assert body["additionalModelRequestFields"] == {
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
    }
    body, _ = said("amazon.nova-pro-v1:0", top_k=5)
    assert body["additionalModelRequestFields"] == {"inferenceConfig": {"topK": 5}}


def test_converses_own_fields_are_passed_and_win() -> None:
    guard = {"guardrailIdentifier": "g", "guardrailVersion": "1"}
    body, _ = said(
        guardrailConfig=guard,
        performanceConfig={"latency": "optimized"},
        top_k=5,
        additionalModelRequestFields={"top_k": 7},
    )
    assert body["guardrailConfig"] == guard and body["performanceConfig"] == {"latency": "optimized"}
    assert body["additionalModelRequestFields"] == {"top_k": 7}


def test_a_schema_is_sent_as_text() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "found", "schema": schema}}
    body, _ = said(response_format=wanted)
    told = body["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert told["name"] == "found" and json.loads(told["schema"]) == schema


# -- addresses --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "segment"),
    [
        ("amazon.nova-pro-v1:0", "amazon.nova-pro-v1%3A0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.x",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Feu.x",
        ),
    ],
)
def test_a_model_is_one_segment_of_the_path(model: str, segment: str) -> None:
    base = parse_base(base_url({"region": "us-east-1"}))
    assert path(Address(base, BEDROCK_CONVERSE, model, False, {})) == f"/model/{segment}/converse"
    assert path(Address(base, BEDROCK_CONVERSE, model, True, {})) == f"/model/{segment}/converse-stream"


@pytest.mark.parametrize(
    ("region", "begin"),
    [
        ("us-east-1", "us."),
        ("us-gov-west-1", "us-gov."),
        ("eu-west-1", "eu."),
        ("ap-south-1", "apac."),
        ("", ""),
    ],
)
def test_the_catalogues_regional_models_are_asked_through_the_regions_profile(
    region: str, begin: str
) -> None:
    base = parse_base("https://up.example")
    asked = path(Address(base, BEDROCK_CONVERSE, "regional.a.b-v1", False, {"region": region}))
    assert asked == f"/model/{begin}a.b-v1/converse"


def test_the_region_makes_the_address() -> None:
    assert base_url({"region": "us-gov-west-1"}) == "https://bedrock-runtime.us-gov-west-1.amazonaws.com"
    assert base_url({"region": "cn-north-1"}) == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    for region in ("", "x.example/", "us-east-1.evil"):
        with pytest.raises(ValueError, match="region"):
            base_url({"region": region})


# -- answers ----------------------------------------------------------------------------------------


def answered(content: list[dict[str, Any]], stop: str = "end_turn", **usage: Any) -> Any:
    counted = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15, **usage}
    message = {"role": "assistant", "content": content}
    raw = json.dumps({"output": {"message": message}, "stopReason": stop, "usage": counted}).encode()
    return codec_for(OPENAI_CHAT, BEDROCK_CONVERSE).response(raw, call(to=to()))


def test_cached_tokens_are_part_of_the_input() -> None:
    details = [{"ttl": "1h", "inputTokens": 3}, {"ttl": "5m", "inputTokens": 4}]
    usage = answered(
        [{"text": "a"}], cacheReadInputTokens=100, cacheWriteInputTokens=7, cacheDetails=details
    ).usage
    assert (usage.input_tokens, usage.output_tokens) == (117, 5)
    assert (usage.cached_read_tokens, usage.cache_write_tokens, usage.cache_write_long_tokens) == (100, 4, 3)


@pytest.mark.parametrize("stop", STOP_REASONS)
def test_every_stop_reason_has_a_finish_reason(stop: str) -> None:
    decoded = answered([{"text": "a"}], stop)
    assert decoded.finish_reason == STOP_REASONS[stop]
    assert json.loads(decoded.body)["choices"][0]["finish_reason"] == STOP_REASONS[stop]


def test_an_answers_blocks_become_text_reasoning_and_calls() -> None:
    content: list[dict[str, Any]] = [
        {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "sig"}}},
        {"text": "so"},
        {"toolUse": {"toolUseId": "t1", "name": "look", "input": {"at": 1}}},
        {"image": {"format": "png", "source": {"bytes": PNG}}},
    ]
    (choice,) = json.loads(answered(content, "tool_use").body)["choices"]
    message = choice["message"]
    assert (message["content"], message["reasoning_content"]) == ("so", "hm")
    assert message["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"at": 1}'}


# -- streams ----------------------------------------------------------------------------------------


def event(name: str, payload: dict[str, Any]) -> bytes:
    return encoded({":event-type": name, ":message-type": "event"}, json.dumps(payload).encode())


STREAM = b"".join(
    (
        event("messageStart", {"role": "assistant", "p": "abc"}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hel"}}),
        event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "lo"}}),
        event("contentBlockStop", {"contentBlockIndex": 0}),
        event("brandNew", {"contentBlockIndex": 0}),
        event(
            "contentBlockStart",
            {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "look"}}},
        ),
        event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"a"'}}}),
        event("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": ":1}"}}}),
        event("contentBlockStop", {"contentBlockIndex": 1}),
        event("messageStop", {"stopReason": "tool_use"}),
        event("metadata", {"usage": {"inputTokens": 4, "outputTokens": 2, "cacheReadInputTokens": 6}}),
    )
)


def streamed(chunks: list[bytes]) -> tuple[bytes, list[StreamEvent]]:
    decoder = codec_for(OPENAI_CHAT, BEDROCK_CONVERSE).stream(call(to=to(), stream=True))
    blocks = [*map(decoder.feed, chunks), decoder.end()]
    raw = b"".join(block.raw for block in blocks)
    # The second in which a chunk is written is no part of what it says.
    return re.sub(rb'"created":\d+', b'"created":0', raw), [one for block in blocks for one in block.events]


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_a_stream_says_the_same_at_any_chunking(cuts: list[int]) -> None:
    ends = sorted(cuts)
    chunks = [STREAM[a:b] for a, b in zip([0, *ends], [*ends, len(STREAM)], strict=True)]
    raw, events = streamed(chunks)
    whole_raw, whole_events = streamed([STREAM])
    assert raw == whole_raw and events == whole_events


def test_a_streams_usage_ends_it() -> None:
    _, events = streamed([STREAM])
    machine = StreamMachine()
    for one in events:
        machine.feed(one)
    assert machine.complete and machine.finish_reason == "tool_calls"
    (usage,) = [one.usage for one in events if isinstance(one, UsageReported)]
    assert (usage.input_tokens, usage.cached_read_tokens) == (10, 6)


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        ("throttlingException", FailureKind.RATE_LIMIT),
        ("serviceUnavailableException", FailureKind.OVERLOADED),
        ("modelStreamErrorException", FailureKind.SERVER_ERROR),
        ("internalServerException", FailureKind.SERVER_ERROR),
    ],
)
def test_an_exception_inside_a_stream_is_a_typed_fault(exception: str, kind: FailureKind) -> None:
    headers = {":message-type": "exception", ":exception-type": exception}
    _, events = streamed([encoded(headers, b'{"message": "no"}')])
    assert isinstance(events[-1], Faulted)
    assert (events[-1].failure.kind, events[-1].failure.message) == (kind, "no")


def test_a_damaged_stream_is_a_fault_and_never_complete() -> None:
    damaged = bytearray(STREAM)
    damaged[STREAM.index(b'"lo"') + 1] ^= 1
    _, events = streamed([bytes(damaged)])
    assert isinstance(events[-1], Faulted) and events[-1].failure.kind is FailureKind.BAD_RESPONSE
    assert "checksum" in events[-1].failure.message


# -- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "named", "message", "kind"),
    [
        (429, "ThrottlingException", "Too many tokens, please wait.", FailureKind.RATE_LIMIT),
        (429, "ModelNotReadyException", "not ready", FailureKind.OVERLOADED),
        (400, "ServiceQuotaExceededException", "quota", FailureKind.QUOTA),
        (403, "AccessDeniedException", "no access to the model", FailureKind.AUTH),
        (403, "ExpiredTokenException", "expired", FailureKind.AUTH),
        (404, "ResourceNotFoundException", "no such model", FailureKind.MODEL_MISSING),
        (400, "ValidationException", "The provided model identifier is invalid.", FailureKind.MODEL_MISSING),
        (400, "ValidationException", "Input is too long for requested model.", FailureKind.CONTEXT_LENGTH),
        (400, "ValidationException", "Malformed input request", FailureKind.CALLER_FAULT),
        (408, "ModelTimeoutException", "late", FailureKind.TIMEOUT),
        (424, "ModelErrorException", "the model failed", FailureKind.SERVER_ERROR),
        (500, "InternalServerException", "oops", FailureKind.SERVER_ERROR),
        (503, "ServiceUnavailableException", "busy", FailureKind.OVERLOADED),
    ],
)
def test_an_exception_is_known_by_its_header_or_its_body(
    status: int, named: str, message: str, kind: FailureKind
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    header = [("x-amzn-errortype", f"{named}:http://internal.amazon.com/coral/")]
    plain = json.dumps({"message": message}).encode()
    typed = json.dumps({"__type": f"com.amazon#{named}", "Message": message}).encode()
    for headers, body in ((header, plain), ([], typed)):
        failure = read_failure(BEDROCK_CONVERSE, status, headers, body, now)
        assert (failure.kind, failure.message, failure.code) == (kind, message, named)


def test_what_aws_quotes_of_a_wrong_signature_stays_here() -> None:
    text = "does not match. The Canonical String for this request should have been 'x-amz-security-token:T0k'"
    body = json.dumps({"message": text}).encode()
    failure = read_failure(BEDROCK_CONVERSE, 403, [], body, datetime(2026, 11, 20, tzinfo=UTC))
    assert "T0k" not in failure.message and b"T0k" not in (failure.body or b"")
