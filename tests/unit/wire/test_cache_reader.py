"""When two requests ask the same."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.cache_reader import BODY_BYTES_MAX, DialectCacheReader
from domain.caching.key import KEY_BYTES
from tests.unit.wire.asked_bodies import BODIES, changed, request
from tests.unit.wire.spellings import spelt

READER = DialectCacheReader()
DIALECTS = sorted(BODIES)
CHAT, MESSAGES, GENERATE, RESPONSES = (
    "openai.chat",
    "anthropic.messages",
    "gemini.generate",
    "openai.responses",
)
HELLO: list[Any] = [{"role": "user", "content": "hello"}]


def digest(dialect: str, body: dict[str, Any] | bytes, **fields: Any) -> bytes:
    asked = READER.asked(request(dialect, body, **fields))
    assert asked is not None and len(asked.digest) == KEY_BYTES
    return asked.digest


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_however_a_body_is_spelt_it_asks_the_same(dialect: str, data: st.DataObject) -> None:
    body = BODIES[dialect]
    assert digest(dialect, spelt(body, data).encode()) == digest(dialect, body)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_one_change_asks_something_else(dialect: str, data: st.DataObject) -> None:
    body = BODIES[dialect]
    other = changed(body, data)
    assert digest(dialect, other) != digest(dialect, body), other


@pytest.mark.parametrize("dialect", DIALECTS)
@given(raw=st.binary(max_size=80) | st.text(max_size=40).map(str.encode))
@settings(max_examples=40, deadline=None)
def test_no_body_breaks_the_reader(dialect: str, raw: bytes) -> None:
    for body in (raw, b'{"messages":' + raw + b"}", b'{"contents":' + raw + b',"input":[' + raw + b"]}"):
        asking = request(dialect, body)
        asked, question = READER.asked(asking), READER.question(asking)
        assert asked is None or len(asked.digest) == KEY_BYTES
        assert question is None or len(question.context) == KEY_BYTES


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_no_change_of_shape_breaks_the_reader(dialect: str, data: st.DataObject) -> None:
    body = BODIES[dialect]
    for _ in range(3):
        body = changed(body, data)
    READER.asked(request(dialect, body))
    READER.question(request(dialect, body))


def test_the_same_body_in_another_dialect_or_of_another_model_asks_something_else() -> None:
    body = {"messages": HELLO, "max_tokens": 5}
    assert digest(CHAT, body) != digest(MESSAGES, body)
    assert digest(CHAT, body) != digest(CHAT, body, model="n")
    assert digest(CHAT, {**body, "model": "m"}) == digest(CHAT, body)


def test_a_limit_of_ours_is_part_of_what_is_asked() -> None:
    plain = digest(CHAT, {"messages": HELLO})
    assert digest(CHAT, {"messages": HELLO}, forced_max_output_tokens=5) != plain
    assert digest(CHAT, {"messages": HELLO}, forced_max_output_tokens=6) != plain


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        (CHAT, {"stream": True}),
        (CHAT, {"stream": False, "stream_options": {"include_usage": True}}),
        (CHAT, {"user": "u", "safety_identifier": "s", "metadata": {"a": "b"}, "store": False}),
        (CHAT, {"prompt_cache_key": "k", "prompt_cache_retention": "24h"}),
        (CHAT, {"n": 1}),
        (CHAT, {"n": 1.0, "stop": None, "temperature": None, "tools": None}),
        (MESSAGES, {"stream": True, "metadata": {"user_id": "u"}, "cache_control": {"type": "ephemeral"}}),
        (MESSAGES, {"temperature": None, "thinking": None}),
        (GENERATE, {"labels": {"team": "a"}}),
        (GENERATE, {"generationConfig": {}}),
        (GENERATE, {"generationConfig": {"candidateCount": 1, "topP": None, "thinkingConfig": None}}),
        (GENERATE, {"generation_config": {"candidate_count": 1}}),
        (RESPONSES, {"stream": True, "stream_options": {"include_obfuscation": False}, "background": False}),
        (RESPONSES, {"store": False, "previous_response_id": None}),
        ("openai.completions", {"stream": True, "user": "u", "n": 1, "echo": None}),
        ("openai.embeddings", {"user": "u", "dimensions": None}),
    ],
)
def test_who_asks_and_how_it_is_delivered_makes_no_difference(dialect: str, more: dict[str, Any]) -> None:
    bodies: dict[str, dict[str, Any]] = {
        CHAT: {"messages": HELLO},
        MESSAGES: {"messages": HELLO, "max_tokens": 5},
        GENERATE: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
        RESPONSES: {"input": "hello"},
    }
    plain = bodies.get(dialect, {"prompt": "a", "input": "b"})
    assert digest(dialect, {**plain, **more}) == digest(dialect, plain)


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        (CHAT, {"n": 2}),
        (CHAT, {"n": True}),
        (CHAT, {"max_tokens": 5}),
        (CHAT, {"max_completion_tokens": 5}),
        (CHAT, {"service_tier": "flex"}),
        (CHAT, {"labels": {"a": "b"}}),
        (MESSAGES, {"user": "u"}),
        (MESSAGES, {"n": 1}),
        (GENERATE, {"metadata": {"a": "b"}}),
        (GENERATE, {"generationConfig": {"candidateCount": 2}}),
        # A response repeats these of its request, so nobody else's may be in it.
        (RESPONSES, {"metadata": {"a": "b"}}),
        (RESPONSES, {"user": "u"}),
        (RESPONSES, {"safety_identifier": "s"}),
        (RESPONSES, {"prompt_cache_key": "k"}),
        ("cohere.rerank", {"user": "u"}),
    ],
)
def test_what_another_vendor_ignores_may_matter_to_this_one(dialect: str, more: dict[str, Any]) -> None:
    plain = {"messages": HELLO, "input": "a"}
    assert digest(dialect, {**plain, **more}) != digest(dialect, plain)


def _lone_text(body: dict[str, Any]) -> None:
    body["messages"][0]["content"] = [{"type": "text", "text": "hello"}]


def _marked_text(body: dict[str, Any]) -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    body["messages"][0]["content"] = [{"type": "text", "text": "hello", "cache_control": mark}]


def _null_fields(body: dict[str, Any]) -> None:
    body["messages"][0] |= {"name": None, "refusal": None, "tool_calls": None}


@pytest.mark.parametrize(
    ("dialect", "respell"),
    [
        (CHAT, _lone_text),
        (CHAT, _marked_text),
        (CHAT, _null_fields),
        (MESSAGES, _lone_text),
        (MESSAGES, _marked_text),
    ],
)
def test_a_lone_part_of_text_is_that_text_and_nulls_say_nothing(
    dialect: str, respell: Callable[[dict[str, Any]], None]
) -> None:
    plain = {"messages": HELLO, "max_tokens": 5}
    other = copy.deepcopy(plain)
    respell(other)
    assert digest(dialect, other) == digest(dialect, plain)


def test_marks_for_prompt_caches_are_left_out_wherever_they_may_stand() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    body = BODIES[MESSAGES]
    marked = copy.deepcopy(body)
    marked["system"][1] |= mark
    marked["tools"][0] |= mark
    marked["messages"][1]["content"][0] |= mark
    marked["messages"][2]["content"][0] |= mark
    marked["messages"][2]["content"][0]["content"][1] |= mark
    assert digest(MESSAGES, marked) == digest(MESSAGES, body)
    chat = BODIES[CHAT]
    marked = copy.deepcopy(chat)
    marked["messages"][0] |= mark
    marked["messages"][1]["content"][1] |= {"prompt_cache_breakpoint": True}
    marked["tools"][0] |= mark
    marked["tools"][0]["function"] |= mark
    assert digest(CHAT, marked) == digest(CHAT, chat)


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        (MESSAGES, ("tools", 0, "input_schema")),
        (MESSAGES, ("tools", 0, "input_schema", "properties")),
        (MESSAGES, ("messages", 1, "content", 0, "input")),
        (CHAT, ("tools", 0, "function", "parameters")),
        (CHAT, ("tools", 0, "function", "parameters", "properties")),
        (CHAT, ("response_format", "json_schema", "schema")),
        (GENERATE, ("contents", 1, "parts", 0, "functionCall", "args")),
        (GENERATE, ("contents", 2, "parts", 0, "functionResponse", "response")),
        (GENERATE, ("generationConfig", "responseSchema")),
        (RESPONSES, ("tools", 0, "parameters")),
    ],
)
@pytest.mark.parametrize("name", ["cache_control", "user", "metadata", "stream", "labels", "n", "a_c"])
def test_the_callers_own_objects_are_never_looked_into(
    dialect: str, path: tuple[str | int, ...], name: str
) -> None:
    seen = {digest(dialect, BODIES[dialect])}
    for value in (None, 3, 4, {"type": "ephemeral"}):
        body = copy.deepcopy(BODIES[dialect])
        holder: Any = body
        for step in path:
            holder = holder[step]
        holder[name] = value
        seen.add(digest(dialect, body))
    assert len(seen) == 5


def test_google_s_two_spellings_of_its_names_are_one_and_the_callers_names_are_not() -> None:
    snake = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": copy.deepcopy(BODIES[GENERATE]["contents"]),
        "generation_config": {
            "temperature": 0.5,
            "max_output_tokens": 5,
            "response_schema": {"type": "STRING", "a_b": 3},
        },
        "tools": [{"function_declarations": BODIES[GENERATE]["tools"][0]["functionDeclarations"]}],
        "tool_config": {"function_calling_config": {"mode": "ANY"}},
    }
    snake["contents"][0]["parts"][1] = {"inline_data": {"mime_type": "image/png", "data": "AA=="}}
    assert digest(GENERATE, snake) == digest(GENERATE, BODIES[GENERATE])
    snake["contents"][1]["parts"][0]["functionCall"]["args"] = {"aB": 1}
    assert digest(GENERATE, snake) != digest(GENERATE, BODIES[GENERATE])


def test_a_name_in_both_spellings_cannot_be_compared() -> None:
    both = {"contents": [], "generationConfig": {"topP": 1}, "generation_config": {"topP": 0}}
    assert READER.asked(request(GENERATE, both)) is None


def test_a_response_s_input_is_the_same_as_a_text_and_as_a_message() -> None:
    text = digest(RESPONSES, {"input": "hello"})
    for said in ("hello", [{"type": "input_text", "text": "hello"}]):
        assert digest(RESPONSES, {"input": [{"role": "user", "content": said}]}) == text
        assert digest(RESPONSES, {"input": [{"type": "message", "role": "user", "content": said}]}) == text
    assert digest(RESPONSES, {"input": [{"role": "system", "content": "hello"}]}) != text


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"text"',
        b'{"messages":[],"messages":[1]}',
        b'{"messages":[{"role":"user","content":"a","content":"b"}]}',
        b'{"messages":"' + b"a" * BODY_BYTES_MAX + b'"}',
    ],
)
def test_what_cannot_be_compared_is_not_compared(body: bytes) -> None:
    assert READER.asked(request(CHAT, body)) is None
    assert READER.question(request(CHAT, body)) is None


def test_what_a_body_only_refers_to_cannot_be_compared() -> None:
    body = {"input": "and now?"}
    assert READER.asked(request(RESPONSES, body, previous_response_id="resp_1")) is None
    assert READER.asked(request(RESPONSES, body, continues=b"{}")) is None
    assert READER.asked(request("openai.images", {"prompt": "a"})) is None


def headers(*pairs: tuple[str, str]) -> bytes:
    return digest(MESSAGES, {"messages": HELLO, "max_tokens": 5}, headers=pairs)


def test_vendor_headers_that_may_change_an_answer_are_part_of_what_is_asked() -> None:
    plain = headers()
    assert headers(("anthropic-beta", "a")) != plain
    assert headers(("anthropic-beta", "a")) != headers(("anthropic-beta", "b"))
    assert headers(("openai-beta", "a")) != headers(("anthropic-beta", "a"))
    assert headers(("anthropic-version", "2023-01-01")) != plain
    assert headers(("anthropic-beta", "a,b")) == headers(("anthropic-beta", " b"), ("anthropic-beta", "a, a"))


def test_headers_of_other_vendors_that_change_answers_are_too() -> None:
    plain = headers()
    for pair in (
        ("x-goog-user-location", "de"),
        ("x-dashscope-datainspection", "enable"),
        ("x-openrouter-experimental", "1"),
        ("extra-parameters", "drop"),
        ("azureml-model-deployment", "blue"),
    ):
        assert headers(pair) != plain
    assert headers(("x-goog-api-client", "gl-python/3"), ("x-goog-request-id", "7")) == plain


def test_a_chat_that_its_provider_shall_store_is_never_answered_from_the_cache() -> None:
    for store in (True, "yes", 1):
        assert READER.asked(request(CHAT, {"messages": HELLO, "store": store})) is None


def test_headers_of_clients_and_the_usual_version_make_no_difference() -> None:
    plain = headers()
    assert headers(("user-agent", "x"), ("x-stainless-lang", "js"), ("accept", "*/*")) == plain
    assert headers(("anthropic-version", "2023-06-01")) == plain
    assert headers(("anthropic-dangerous-direct-browser-access", "true")) == plain
    assert headers(("anthropic-beta", " , ")) == plain


@pytest.mark.parametrize(
    ("dialect", "body", "temperature"),
    [
        (CHAT, {"temperature": 0.5}, 0.5),
        (CHAT, {"temperature": 1}, 1.0),
        (CHAT, {"temperature": 0.10000000000000000555}, 0.1),
        (CHAT, {"temperature": None}, None),
        (CHAT, {"temperature": True}, None),
        (CHAT, {"temperature": "0.5"}, None),
        (MESSAGES, {}, None),
        (GENERATE, {"generation_config": {"temperature": 0.7}}, 0.7),
        (GENERATE, {"temperature": 0.7}, None),
    ],
)
def test_the_temperature_is_read_where_the_dialect_has_it(
    dialect: str, body: dict[str, Any], temperature: float | None
) -> None:
    asked = READER.asked(request(dialect, json.dumps(body).encode()))
    assert asked is not None and asked.temperature == temperature
