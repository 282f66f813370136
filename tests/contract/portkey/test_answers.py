"""What of an OpenAI-shaped answer survives each provider's translation in the real gateway."""

import json
from typing import Any

import pytest

from adapters.http.transport import StreamlinedTransport
from adapters.portkey.endpoint import GatewayAddress, PortkeyTarget
from adapters.portkey.forwarded_fields import (
    FAITHFUL_SLUGS,
    GatewayRoute,
    forwarded_fields,
    known_slugs,
    unanswered_fields,
)
from adapters.portkey.headers import TargetHeaders
from application.ports.http import HttpRequest
from tests.contract.portkey.calls import HELLO, KEY
from tests.contract.portkey.recording import RecordingServer, Reply
from tests.contract.portkey.test_forwarded_fields import CLOUD_HEADERS

pytestmark = pytest.mark.portkey

OTHER_SHAPES = frozenset(
    {
        "anthropic",
        "google",
        "vertex-ai",
        "bedrock",
        "cohere",
        "palm",
        "ai21",
        "huggingface",
        "oracle",
        "workers-ai",
        "bytez",
        "triton",
        "reka-ai",
    }
)
"""They do not answer in OpenAI's shape."""
ASKED_BY = {
    "TOOL_MARK": frozenset({"tools", "tool_choice", "functions", "function_call", "parallel_tool_calls"}),
    "THOUGHT_MARK": frozenset({"reasoning_effort", "thinking"}),
    "LOGPROB_MARK": frozenset({"logprobs", "top_logprobs"}),
    "SOUND_MARK": frozenset({"audio", "modalities"}),
}
"""A part of an answer, and the fields that ask for it."""
SOUND_IS_UNARY = frozenset({"SOUND_MARK"})


def said(kind: str) -> dict[str, Any]:
    """A message or a delta with everything in it."""
    call = {"index": 0, "id": "TOOL_MARK", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    parts: dict[str, Any] = {
        "role": "assistant",
        "content": "hi",
        "reasoning_content": "THOUGHT_MARK",
        "tool_calls": [call],
    }
    if kind == "message":
        parts["audio"] = {"id": "SOUND_MARK", "data": "", "transcript": ""}
    logprobs = {"content": [{"token": "LOGPROB_MARK", "logprob": 0.0, "top_logprobs": []}]}
    return {"index": 0, kind: parts, "finish_reason": None, "logprobs": logprobs}


def whole_answer(streamed: bool) -> Reply:
    frame = {"id": "x", "object": "chat.completion", "created": 1, "model": "m"}
    if not streamed:
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        return Reply(body=json.dumps({**frame, "choices": [said("message")], "usage": usage}).encode())
    chunk = json.dumps({**frame, "choices": [said("delta")]}).encode()
    return Reply(chunks=[b"data: " + chunk + b"\n\n", b"data: [DONE]\n\n"], content_type="text/event-stream")


async def answer_through(
    gateway_url: str, provider: RecordingServer, transport: StreamlinedTransport, slug: str, streamed: bool
) -> str:
    extra = [(f"x-portkey-{name}", value) for name, value in CLOUD_HEADERS.get(slug, {}).items()]
    target = PortkeyTarget(slug=slug, api_key=KEY, custom_host=provider.url, headers=extra)
    provider.reply = whole_answer(streamed)
    response = await transport.send(
        HttpRequest(
            "POST",
            GatewayAddress(url=gateway_url).endpoint,
            GatewayRoute.CHAT.value,
            TargetHeaders(target).for_call(timeout_s=5, request_id="r"),
            json.dumps({"model": "m", "stream": streamed, **HELLO}).encode(),
            total_timeout_s=5,
        )
    )
    return (await response.read()).decode()


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "stream"])
async def test_the_table_names_every_field_whose_answer_is_lost(
    gateway_url: str, provider: RecordingServer, transport: StreamlinedTransport, streamed: bool
) -> None:
    unnamed: list[str] = []
    for slug in sorted(known_slugs() - OTHER_SHAPES):
        forwarded = forwarded_fields(GatewayRoute.CHAT, slug, "m")
        if forwarded is None:
            continue
        answer = await answer_through(gateway_url, provider, transport, slug, streamed)
        marks = ASKED_BY.keys() - (SOUND_IS_UNARY if streamed else set())
        lost = frozenset[str]().union(*(ASKED_BY[mark] for mark in marks if mark not in answer))
        if missing := (lost & forwarded) - unanswered_fields(slug, "m"):
            unnamed.append(f"{slug}: {sorted(missing)}")
        if slug in FAITHFUL_SLUGS:
            assert not lost, f"{slug} is not faithful: {sorted(lost)}"
    assert not unnamed, "\n".join(unnamed)
