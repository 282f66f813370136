"""A caller's own marks for the prompt cache arrive at another family's provider that has one."""

import json
from dataclasses import replace
from typing import Any

from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, OPENAI_CHAT
from domain.routing.target import Target
from entrypoints.prompt_caches import prompt_cache_of
from tests.unit.wire.calls import call, target

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
POINT = {"cachePoint": {"type": "default"}}
HOUR_POINT = {"cachePoint": {"type": "default", "ttl": "1h"}}
CONVERSE = "bedrock.converse"
MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"


def at_bedrock(model: str = MODEL) -> Target:
    habit = prompt_cache_of("bedrock", "bedrock", model)
    return replace(target(model, provider="bedrock", wire="bedrock"), prompt_cache=habit)


def body_at(upstream: str, asked: UpstreamCall) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(codec_for(asked.request.dialect, upstream).request(asked).body)
    return body


def converse(to: Target | None = None, **fields: Any) -> dict[str, Any]:
    return body_at(CONVERSE, call(ANTHROPIC_MESSAGES, to=to or at_bedrock(), **fields))


def text(said: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": said, **({"cache_control": mark} if mark else {})}


def test_anthropics_marks_become_bedrocks_cache_points_where_they_stood() -> None:
    body = converse(
        system=[text("rules", HOUR), text("today")],
        tools=[{"name": "look", "input_schema": {"type": "object"}, "cache_control": HOUR}],
        messages=[
            {"role": "user", "content": [text("long file", MARK), text("what is it?")]},
            {
                "role": "assistant",
                "content": [
                    text("I look"),
                    {"type": "tool_use", "id": "t1", "name": "look", "input": {}, "cache_control": MARK},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "a cat", "cache_control": MARK}
                ],
            },
        ],
    )

    assert body["system"] == [{"text": "rules"}, HOUR_POINT, {"text": "today"}]
    assert body["toolConfig"]["tools"][-1] == HOUR_POINT
    first, second, third = (turn["content"] for turn in body["messages"])
    assert first == [{"text": "long file"}, POINT, {"text": "what is it?"}]
    assert second[-1] == POINT and "toolUse" in second[-2]
    assert third[-1] == POINT and "toolResult" in third[-2]


def test_one_mark_for_the_whole_body_stands_behind_its_end() -> None:
    body = converse(cache_control=MARK, messages=[{"role": "user", "content": "hello"}])
    assert body["messages"] == [{"role": "user", "content": [{"text": "hello"}, POINT]}]

    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    marked = {**picture, "cache_control": MARK}
    body = converse(messages=[{"role": "user", "content": [text("see"), marked]}])
    assert body["messages"][0]["content"][-1] == POINT


def test_models_without_a_prompt_cache_get_no_mark() -> None:
    plain = [text("rules", MARK), text("more")]
    body = converse(at_bedrock("meta.llama3-70b-instruct-v1:0"), system=plain, cache_control=MARK)
    assert body["system"] == [{"text": "rules\n\nmore"}]
    assert "cachePoint" not in json.dumps(body)

    chat = body_at(
        OPENAI_CHAT, call(ANTHROPIC_MESSAGES, system=plain, messages=[{"role": "user", "content": plain}])
    )
    assert "cache_control" not in json.dumps(chat)


def test_marks_on_a_chats_tools_reach_anthropic() -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {}}}
    to = replace(target("claude", wire="anthropic"), prompt_cache=prompt_cache_of("anthropic", "anthropic"))
    body = body_at(ANTHROPIC_MESSAGES, call(to=to, tools=[tool, {**tool, "cache_control": HOUR}]))

    assert body["tools"][-1]["cache_control"] == HOUR
