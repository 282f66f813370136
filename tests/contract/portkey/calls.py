"""Targets, requests and calls as the attempt loop would make them."""

import json
from typing import Any

from adapters.portkey.endpoint import PortkeyTarget
from adapters.wire.heads import DialectReader
from application.ports.llm import LlmProvider, UpstreamCall, UpstreamFailed
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.catalog.offering import Offering
from domain.llm.failures import Failure
from domain.llm.request import LlmRequest
from domain.llm.stream import StreamEvent
from domain.routing.target import Target
from domain.time import Timeouts

KEY = "sk-test-0123456789abcdef"
HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}


def endpoints_at(url: str) -> dict[str, PortkeyTarget]:
    """Providers named like their slug, all of them at one recording server."""
    slugs = (
        "openai",
        "anthropic",
        "google",
        "mistral-ai",
        "groq",
        "together-ai",
        "deepseek",
        "x-ai",
        "cohere",
    )
    return {slug: PortkeyTarget(slug=slug, api_key=KEY, custom_host=url) for slug in slugs}


def target_at(provider: str, model: str = "model-x") -> Target:
    return Target(
        index=0,
        id=f"{provider}/{model}",
        provider=provider,
        model=model,
        offering=Offering(provider=provider, model=model),
        wire="anthropic" if provider == "anthropic" else "openai",
    )


def request_of(dialect: str = OPENAI_CHAT, **fields: Any) -> LlmRequest:
    body = {"model": "asked-for", **(fields or HELLO)}
    return DialectReader().read(dialect, json.dumps(body).encode())


def call_to(
    provider: str,
    dialect: str = OPENAI_CHAT,
    *,
    total_timeout_s: float = 10.0,
    headers: tuple[tuple[str, str], ...] = (),
    model: str = "model-x",
    **fields: Any,
) -> UpstreamCall:
    request = request_of(dialect, **fields)
    request.headers = headers
    return UpstreamCall(
        request, target_at(provider, model), Timeouts(), total_timeout_s, request_id="req_0123"
    )


def messages_call(provider: str = "anthropic", **fields: Any) -> UpstreamCall:
    return call_to(provider, ANTHROPIC_MESSAGES, **{**HELLO, **fields})


async def failure_of(way: LlmProvider, call: UpstreamCall) -> Failure:
    try:
        await way.complete(call)
    except UpstreamFailed as error:
        return error.failure
    raise AssertionError("the call succeeded")


async def stream_of(way: LlmProvider, call: UpstreamCall) -> tuple[bytes, list[StreamEvent]]:
    """Everything a stream says until its connection ends."""
    stream = await way.open_stream(call)
    raw, events = b"", list[StreamEvent]()
    try:
        while (block := await stream.next_block()) is not None:
            raw += block.raw
            events += block.events
    finally:
        stream.close()
    return raw, events
