"""Marks that Interchange puts into a chat come out of the real gateway as its provider's own."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.portkey.gateway import PortkeyGateway
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.target import Route
from entrypoints.prompt_caches import prompt_cache_of
from tests.contract.portkey.calls import call_to
from tests.contract.portkey.recording import RecordingServer, Reply
from tests.contract.portkey.test_translations import ANTHROPIC_ANSWER

pytestmark = pytest.mark.portkey

MARK = {"type": "ephemeral"}
RULES = "rule " * 1_200
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "well"},
    {"role": "user", "content": "two"},
]
ROUTE = Route(name="r", targets=(), prompt_caching=PromptCachingPolicy(mode=PromptCaching.AUTO))


def marked(provider: str, dialect: str, **fields: Any) -> UpstreamCall:
    call = call_to(provider, dialect, max_tokens=5, **fields)
    habit = prompt_cache_of(provider, call.target.wire, takes_key=provider == "openai")
    target = replace(call.target, prompt_cache=habit)
    request = with_prompt_marks(call.request, ROUTE, target, tenant_id="t")
    assert request.prompt_marks is not None
    return call._replace(request=request, target=target)


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC_MESSAGES])
async def test_marks_reach_anthropic(
    portkey: PortkeyGateway, provider: RecordingServer, dialect: str
) -> None:
    provider.reply = Reply(body=ANTHROPIC_ANSWER)
    function = {"name": "look", "description": RULES, "parameters": {"type": "object", "properties": {}}}
    fields: dict[str, Any] = {
        "messages": [{"role": "system", "content": RULES}, *TALK],
        "tools": [{"type": "function", "function": function}],
    }
    if dialect == ANTHROPIC_MESSAGES:
        tool = {"name": "look", "description": RULES, "input_schema": {"type": "object"}}
        fields = {"system": RULES, "messages": TALK, "tools": [tool]}

    await portkey.complete(marked("anthropic", dialect, **fields))

    body = provider.requests[-1].json
    assert body["tools"][-1]["cache_control"] == MARK
    assert body["system"][-1]["cache_control"] == MARK
    said = [turn["content"] for turn in body["messages"]]
    assert [isinstance(one, list) and one[-1].get("cache_control") == MARK for one in said] == [
        True,
        False,
        True,
    ]


async def test_a_key_reaches_openai(portkey: PortkeyGateway, provider: RecordingServer) -> None:
    answer = await portkey.complete(marked("openai", OPENAI_CHAT, messages=TALK))

    assert provider.requests[-1].json["prompt_cache_key"].startswith("ic-")
    assert answer.dropped == ()
