"""What Interchange puts into bodies so that their providers keep the prompt, and what it leaves alone."""

import json
from dataclasses import replace
from typing import Any

import pytest

from adapters.wire.codec import EncodedRequest
from adapters.wire.conversations import fingerprint
from adapters.wire.prompt_marks import encoded
from adapters.wire.registry import codec_for
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from domain.llm.prompt_marks import PromptMarks
from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from domain.routing.prompt_marking import with_prompt_marks
from domain.routing.route_version import route_version
from domain.routing.target import Route, Target
from entrypoints.prompt_caches import prompt_cache_of
from tests.unit.wire.calls import call, target

LONG = "word " * 1200
AUTO = PromptCachingPolicy(mode=PromptCaching.AUTO)
MARK = {"type": "ephemeral"}
CONVERSE = "bedrock.converse"
TOOL = {"name": "look", "description": LONG, "input_schema": {"type": "object"}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "well"},
    {"role": "user", "content": "two"},
]


def claude(wire: str = "anthropic", model: str = "claude-sonnet-4-5") -> Target:
    return replace(target(model, provider=wire, wire=wire), prompt_cache=prompt_cache_of(wire, wire, model))


def marked(asked: UpstreamCall, policy: PromptCachingPolicy = AUTO) -> UpstreamCall:
    route = Route(name="r", targets=(), prompt_caching=policy)
    request = with_prompt_marks(asked.request, route, asked.target, tenant_id="t", session_id="")
    return asked._replace(request=request)


def sent(
    upstream: str, asked: UpstreamCall, policy: PromptCachingPolicy = AUTO, **more: Any
) -> dict[str, Any]:
    asked = marked(asked, policy)
    body: dict[str, Any] = json.loads(encoded(codec_for(asked.request.dialect, upstream), asked, **more).body)
    return body


def messages(**fields: Any) -> UpstreamCall:
    return call(ANTHROPIC_MESSAGES, to=claude(), **{"messages": TALK, **fields})


def marks_in(value: Any) -> int:
    if isinstance(value, dict):
        return ("cache_control" in value) + ("cachePoint" in value) + sum(map(marks_in, value.values()))
    return sum(map(marks_in, value)) if isinstance(value, list) else 0


def test_tools_instructions_and_the_last_two_things_said_are_marked() -> None:
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG, tools=[TOOL, {**TOOL, "name": "see"}]))

    assert [tool.get("cache_control") for tool in body["tools"]] == [None, MARK]
    assert body["system"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
    assert [turn["content"] for turn in body["messages"]] == [
        [{"type": "text", "text": "one", "cache_control": MARK}],
        "well",
        [{"type": "text", "text": "two", "cache_control": MARK}],
    ]
    assert marks_in(body) == 4


def test_of_a_longer_conversation_only_the_end_is_marked() -> None:
    talk = [*TALK, {"role": "assistant", "content": "so"}, {"role": "user", "content": "three"}]
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG, messages=talk))

    assert [marks_in(turn) for turn in body["messages"]] == [0, 0, 1, 0, 1]


def test_a_single_question_marks_only_what_others_share() -> None:
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG, messages=TALK[:1]))

    assert (marks_in(body["system"]), marks_in(body["messages"])) == (1, 0)


def test_a_caller_who_marked_anything_is_left_alone_to_the_byte() -> None:
    system = [{"type": "text", "text": LONG, "cache_control": MARK}]
    asked = messages(system=system)
    plain = codec_for(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES).request(asked)

    assert encoded(codec_for(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES), marked(asked)) == plain


def test_a_mark_in_other_letters_is_a_callers_mark() -> None:
    raw = json.dumps({"model": "m", "max_tokens": 9, "system": LONG, "messages": TALK}).encode()
    spelt = raw.replace(b'"role": "user"', b'"role": "user", "\\u0063ache_control": null', 1)
    asked = marked(call(ANTHROPIC_MESSAGES, spelt, to=claude()))

    assert asked.request.prompt_marks is None


def test_a_mark_that_is_only_talked_about_is_no_mark() -> None:
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG + ' say "cache_control" twice'))

    assert marks_in(body["system"]) == 1


def test_what_stands_between_keeps_its_bytes() -> None:
    raw = (
        b'{"model":"m","max_tokens":9,"temperature":1.50,"system":"%b","messages":[{"role":"user","content":'
        b'[ {"type":"text", "text":"\\u00e9"} ]},{"role":"assistant", "content":"a"},'
        b'{"role":"user","content":"b"}]}'
    ) % LONG.encode()
    asked = marked(call(ANTHROPIC_MESSAGES, raw, to=claude()))
    body = encoded(codec_for(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES), asked).body

    assert b'"temperature":1.50' in body
    assert b'{"type":"text", "text":"\\u00e9","cache_control":{"type":"ephemeral"}}' in body
    assert b'{"role":"assistant", "content":"a"}' in body


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ([{"type": "text", "text": "a"}, {"type": "text", "text": " "}], 0),
        ([{"type": "tool_result", "tool_use_id": "t", "content": "x"}, {"type": "made_up"}], 0),
        ([{"type": "text", "text": "a"}, {"type": "thinking", "thinking": "x"}], 0),
        ([{"type": "image", "source": {}}, {"type": "text", "text": ""}], 0),
        ([{"type": "text", "text": ""}], None),
        ("  ", None),
        ([], None),
    ],
)
def test_only_parts_that_may_carry_a_mark_get_one(content: Any, place: int | None) -> None:
    talk = [*TALK[:2], {"role": "user", "content": content}]
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG, messages=talk))

    last = body["messages"][-1]["content"]
    found = [at for at, part in enumerate(last) if isinstance(part, dict) and "cache_control" in part]
    assert found == ([] if place is None else [place])
    if place is None:
        assert last == content


def test_a_beginning_below_the_minimum_is_not_marked() -> None:
    assert marks_in(sent(ANTHROPIC_MESSAGES, messages(system="short"))) == 0
    late = messages(system="short", messages=[*TALK[:2], {"role": "user", "content": LONG}])
    assert [marks_in(turn) for turn in sent(ANTHROPIC_MESSAGES, late)["messages"]] == [0, 0, 1]
    opus = call(
        ANTHROPIC_MESSAGES, to=claude(model="claude-opus-4-5"), messages=TALK, system=LONG, max_tokens=5
    )
    assert marks_in(sent(ANTHROPIC_MESSAGES, opus)) == 0
    low = replace(AUTO, tokens_min=1)
    assert marks_in(sent(ANTHROPIC_MESSAGES, messages(system="short"), low)) == 3


def test_tools_that_are_loaded_later_are_not_marked() -> None:
    tools = [TOOL, {**TOOL, "name": "later", "defer_loading": True}]
    body = sent(ANTHROPIC_MESSAGES, messages(tools=tools))

    assert [marks_in(tool) for tool in body["tools"]] == [1, 0]


def test_the_longer_time_is_asked_for_where_there_is_one() -> None:
    hour = replace(AUTO, long=True)
    body = sent(ANTHROPIC_MESSAGES, messages(system=LONG), hour)
    assert body["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}

    chat = [{"role": "system", "content": LONG}, *TALK]
    old, new = (
        sent(CONVERSE, call(to=claude("bedrock", model), messages=chat), hour)["system"][-1]
        for model in ("anthropic.claude-3-7-sonnet-20250219-v1:0", "anthropic.claude-sonnet-4-5-v1:0")
    )
    assert old == {"cachePoint": {"type": "default"}}
    assert new == {"cachePoint": {"type": "default", "ttl": "1h"}}


def test_chats_are_marked_in_their_translation() -> None:
    chat = [{"role": "system", "content": LONG}, *TALK]
    tools = [{"type": "function", "function": {"name": "look", "description": LONG, "parameters": {}}}]
    at_anthropic = sent(ANTHROPIC_MESSAGES, call(to=claude(), messages=chat, tools=tools))
    assert marks_in(at_anthropic) == 4

    at_bedrock = sent(
        CONVERSE,
        call(to=claude("bedrock", "us.anthropic.claude-sonnet-4-5-v1:0"), messages=chat, tools=tools),
    )
    point = {"cachePoint": {"type": "default"}}
    assert at_bedrock["toolConfig"]["tools"][-1] == at_bedrock["system"][-1] == point
    assert [turn["content"][-1] == point for turn in at_bedrock["messages"]] == [True, False, True]


def test_amazons_own_models_keep_no_tools_and_others_nothing() -> None:
    chat = [{"role": "system", "content": LONG}, *TALK]
    tools = [{"type": "function", "function": {"name": "look", "description": LONG, "parameters": {}}}]
    nova = sent(CONVERSE, call(to=claude("bedrock", "amazon.nova-pro-v1:0"), messages=chat, tools=tools))
    assert (marks_in(nova["toolConfig"]), marks_in(nova["system"]), marks_in(nova["messages"])) == (0, 1, 2)
    for model in ("meta.llama3-70b-instruct-v1:0", "anthropic.claude-3-5-sonnet-20240620-v1:0"):
        other = sent(CONVERSE, call(to=claude("bedrock", model), messages=chat, tools=tools))
        assert marks_in(other) == 0


def test_a_chat_that_a_gateway_translates_is_marked_in_its_own_shape() -> None:
    chat = [{"role": "system", "content": LONG}, *TALK]
    tools = [{"type": "function", "function": {"name": "look", "description": LONG, "parameters": {}}}]
    body = sent(OPENAI_CHAT, call(to=claude(), messages=chat, tools=tools), replace(AUTO, long=True))

    assert body["tools"][-1]["cache_control"] == MARK
    assert body["messages"][0]["content"] == [{"type": "text", "text": LONG, "cache_control": MARK}]
    assert [marks_in(turn) for turn in body["messages"]] == [1, 1, 0, 1]


# OpenAI's: nothing to mark, but a key


def gpt(*, keyed: bool = True) -> Target:
    return replace(target("gpt-x"), prompt_cache=prompt_cache_of("openai", "openai", takes_key=keyed))


def key_of(asked: UpstreamCall, tenant: str = "t", session: str = "", **more: Any) -> str | None:
    route = Route(name="r", targets=(), prompt_caching=AUTO)
    request = with_prompt_marks(asked.request, route, asked.target, tenant_id=tenant, session_id=session)
    body = encoded(codec_for(OPENAI_CHAT, OPENAI_CHAT), asked._replace(request=request), **more).body
    key: str | None = json.loads(body).get("prompt_cache_key")
    return key


def test_turns_of_one_conversation_share_a_key_and_nobody_else_does() -> None:
    first, later = call(to=gpt(), messages=TALK[:1]), call(to=gpt(), messages=TALK)
    other = call(to=gpt(), messages=[{"role": "user", "content": "something else"}])

    assert key_of(first) == key_of(later) is not None
    assert len({key_of(first), key_of(other), key_of(first, tenant="u"), key_of(first, session="s")}) == 4
    assert key_of(first, session="s") == key_of(other, session="s")
    assert len(key_of(first) or "") <= 64


def test_the_key_is_added_behind_bytes_that_stay_as_they_are() -> None:
    asked = call(
        to=gpt(), body=b'{ "model":"gpt-x", "messages":[{"role":"user","content":"one"}],"top_p":1.0 }'
    )
    plain = codec_for(OPENAI_CHAT, OPENAI_CHAT).request(asked).body
    body = encoded(codec_for(OPENAI_CHAT, OPENAI_CHAT), marked(asked)).body

    assert body.startswith(plain.rstrip()[:-1].rstrip() + b',"prompt_cache_key":"ic-')


def test_a_callers_key_stays_and_unknown_servers_get_none() -> None:
    assert key_of(call(to=gpt(), prompt_cache_key="mine")) == "mine"
    assert key_of(call(to=gpt(keyed=False))) is None
    assert key_of(call(to=gpt()), forwarded={"messages"}) is None
    kept = sent(OPENAI_RESPONSES, call(OPENAI_RESPONSES, {"model": "m", "input": "hello"}, to=gpt()))
    assert kept["prompt_cache_key"].startswith("ic-")


def test_retention_is_sent_only_where_it_was_asked_for() -> None:
    day = replace(AUTO, retention="24h")
    assert sent(OPENAI_CHAT, call(to=gpt()), day)["prompt_cache_retention"] == "24h"
    assert "prompt_cache_retention" not in sent(OPENAI_CHAT, call(to=gpt()))
    assert "prompt_cache_retention" not in sent(OPENAI_CHAT, call(to=gpt(keyed=False)), day)


# Everything else


def test_without_the_option_and_at_other_providers_nothing_is_added() -> None:
    off = PromptCachingPolicy()
    assert marked(messages(system=LONG), off).request.prompt_marks is None
    gemini = replace(target(wire="gemini"), prompt_cache=prompt_cache_of("google", "gemini"))
    asked = call(GEMINI_GENERATE, {"contents": [{"role": "user", "parts": [{"text": LONG}]}]}, to=gemini)
    assert marked(asked).request is asked.request


def test_the_callers_body_and_its_conversation_are_what_they_were() -> None:
    asked = messages(system=LONG)
    after = marked(asked)

    assert after.request.prompt_marks is not None
    assert after.request.body is asked.request.body and after.request.fields == asked.request.fields
    assert fingerprint(ANTHROPIC_MESSAGES, after.request.body) == fingerprint(
        ANTHROPIC_MESSAGES, asked.request.body
    )


def test_kept_answers_are_the_same_with_and_without_the_option() -> None:
    plain = Route(name="r", targets=())

    assert route_version(plain) == route_version(replace(plain, prompt_caching=AUTO))


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","max_tokens":9,"system":7,"messages":[{"role":"user","content":"%b"}]}',
        b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"%b"},{"role":7}]}',
        b'{"model":"m","max_tokens":9,"tools":{},"messages":[{"role":"user","content":"%b"}]}',
    ],
)
def test_what_cannot_be_read_is_left_to_its_provider(body: bytes) -> None:
    class Plain:
        upstream_dialect = ANTHROPIC_MESSAGES

        def request(self, call: UpstreamCall) -> EncodedRequest:
            return EncodedRequest(call.request.body)

    said = body % LONG.encode()
    asked = messages()
    request = replace(asked.request, body=said, prompt_marks=PromptMarks(1, 4))

    left = encoded(Plain(), asked._replace(request=request)).body  # type: ignore[arg-type]

    assert left == said
