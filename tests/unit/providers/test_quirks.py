"""What servers of OpenAI's shape do not take, seen in the bodies they are sent."""

import json
from typing import Any

import pytest

from adapters.memory.system import SteppingClock
from adapters.pricing.providers import PROVIDERS
from adapters.providers.direct import DirectProviders
from adapters.providers.endpoint import ProviderEndpoint
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_COMPLETIONS
from domain.catalog.tags import (
    CHAT_ONLY_TAG,
    MAX_COMPLETION_TOKENS_TAG,
    MAX_TOKENS_TAG,
    NO_STREAM_OPTIONS_TAG,
)
from domain.llm.capabilities import Capability
from tests.unit.providers.test_direct import CHAT_ANSWER, ScriptedTransport
from tests.unit.wire.calls import call, target

OLD_LIMIT = sorted(name for name, known in PROVIDERS.items() if MAX_TOKENS_TAG in known.tags)
CHAT_ONLY = sorted(name for name, known in PROVIDERS.items() if CHAT_ONLY_TAG in known.tags)


async def sent_to(
    host: str, dialect: str = OPENAI_CHAT, *, able: Capability = Capability.TEXT, **fields: Any
) -> tuple[str, dict[str, Any]]:
    """(path, body) of what a host of the catalogue gets for a request."""
    to = target(provider=host, capabilities=able, tags=PROVIDERS[host].tags)
    stream = bool(fields.get("stream"))
    transport = ScriptedTransport(
        CHAT_ANSWER, content_type="text/event-stream" if stream else "application/json"
    )
    body = {"model": "m", "prompt": "x", **fields} if dialect == OPENAI_COMPLETIONS else None
    asked = call(dialect, body, to=to, **({} if body else fields))
    endpoint = ProviderEndpoint(wire="openai", base_url="https://up.example/v1", api_key="k")
    direct = DirectProviders(transport, SteppingClock(), {host: endpoint})
    await (direct.open_stream(asked) if stream else direct.complete(asked))
    request = transport.requests[0]
    return request.path, json.loads(request.body)


@pytest.mark.parametrize("host", OLD_LIMIT)
async def test_a_server_that_knows_the_old_limit_only_gets_it_by_that_name(host: str) -> None:
    _, body = await sent_to(host, max_completion_tokens=7)
    assert body["max_tokens"] == 7 and "max_completion_tokens" not in body


@pytest.mark.parametrize("host", OLD_LIMIT)
async def test_a_translated_limit_keeps_its_old_name_for_reasoning_models_too(host: str) -> None:
    able = Capability.TEXT | Capability.REASONING
    _, body = await sent_to(host, ANTHROPIC_MESSAGES, able=able, max_tokens=9)
    assert body["max_tokens"] == 9 and "max_completion_tokens" not in body


@pytest.mark.parametrize("host", ["openai", "azure"])
async def test_a_translated_limit_gets_its_new_name_where_it_is_wanted(host: str) -> None:
    assert MAX_COMPLETION_TOKENS_TAG in PROVIDERS[host].tags
    _, body = await sent_to(host, ANTHROPIC_MESSAGES, max_tokens=9)
    assert body["max_completion_tokens"] == 9 and "max_tokens" not in body


async def test_openai_callers_own_fields_reach_a_server_without_quirks_as_they_are() -> None:
    _, body = await sent_to("openai", max_tokens=5, stream=True, stream_options={"x": 1})
    assert body["max_tokens"] == 5 and body["stream_options"] == {"x": 1, "include_usage": True}


async def test_mistral_is_not_asked_to_include_usage_which_it_does_anyway() -> None:
    assert NO_STREAM_OPTIONS_TAG in PROVIDERS["mistral"].tags
    for dialect in (OPENAI_CHAT, ANTHROPIC_MESSAGES):
        _, body = await sent_to("mistral", dialect, stream=True)
        assert body["stream"] is True and "stream_options" not in body


@pytest.mark.parametrize("host", CHAT_ONLY)
async def test_a_completion_is_asked_as_a_chat_where_there_are_only_chats(host: str) -> None:
    path, body = await sent_to(host, OPENAI_COMPLETIONS, max_tokens=3)
    assert path == "/v1/chat/completions"
    assert body["messages"] == [{"role": "user", "content": "x"}] and body["max_tokens"] == 3


async def test_other_hosts_are_asked_for_completions() -> None:
    path, body = await sent_to("together", OPENAI_COMPLETIONS)
    assert path == "/v1/completions" and body["prompt"] == "x"


def test_the_catalogue_knows_hosts_of_every_quirk_and_no_other_quirks() -> None:
    known = {CHAT_ONLY_TAG, NO_STREAM_OPTIONS_TAG, MAX_TOKENS_TAG, MAX_COMPLETION_TOKENS_TAG}
    assert set().union(*(provider.tags for provider in PROVIDERS.values())) == known
