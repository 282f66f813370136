"""The last message of the user apart from everything around it."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.cache_reader import DialectCacheReader
from adapters.wire.last_questions import CHARS_MAX
from domain.caching.question import Question
from tests.unit.wire.asked_bodies import changed, request

READER = DialectCacheReader()
CHAT, MESSAGES, GENERATE, RESPONSES = (
    "openai.chat",
    "anthropic.messages",
    "gemini.generate",
    "openai.responses",
)
TURNS: list[Any] = [
    {"role": "user", "content": "hi"},
    {"role": "assistant", "content": "hello"},
    {"role": "user", "content": "Which city?"},
]
PLAIN: dict[str, dict[str, Any]] = {
    CHAT: {"messages": [{"role": "system", "content": "Be brief."}, *TURNS], "temperature": 0.5},
    MESSAGES: {"system": "Be brief.", "messages": TURNS, "max_tokens": 5},
    RESPONSES: {"instructions": "Be brief.", "input": TURNS},
    GENERATE: {
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [{"text": "hello"}]},
            {"role": "user", "parts": [{"text": "Which city?"}]},
        ],
        "generationConfig": {"temperature": 0.5, "thinkingConfig": {"thinkingBudget": 0}},
    },
}
"""Conversations after which similar questions may be looked for."""
SAID_IN = {CHAT: "messages", MESSAGES: "messages", RESPONSES: "input", GENERATE: "contents"}
DIALECTS = sorted(PLAIN)


def question(dialect: str, body: dict[str, Any], **fields: Any) -> Question | None:
    return READER.question(request(dialect, body, **fields))


def found(dialect: str, body: dict[str, Any], **fields: Any) -> Question:
    question = READER.question(request(dialect, body, **fields))
    assert question is not None
    return question


def with_last(dialect: str, text: Any) -> dict[str, Any]:
    body = copy.deepcopy(PLAIN[dialect])
    last = body[SAID_IN[dialect]][-1]
    if dialect == GENERATE:
        last["parts"] = [{"text": text}]
    else:
        last["content"] = text
    return body


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_text_of_the_user_and_the_exchanges_before_it_are_found(dialect: str) -> None:
    asked = found(dialect, PLAIN[dialect])
    assert (asked.text, asked.exchanges) == ("Which city?", 1)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(text=st.text(min_size=1, max_size=40).filter(str.strip))
@settings(max_examples=25, deadline=None)
def test_another_last_text_stands_in_the_same_place(dialect: str, text: str) -> None:
    asked = found(dialect, with_last(dialect, text))
    assert asked.text == text
    assert asked.context == found(dialect, PLAIN[dialect]).context


@pytest.mark.parametrize("dialect", DIALECTS)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_other_change_is_another_place(dialect: str, data: st.DataObject) -> None:
    other = changed(PLAIN[dialect], data)
    asked = question(dialect, other)
    if asked is not None and other != with_last(dialect, asked.text):
        assert asked.context != found(dialect, PLAIN[dialect]).context, other


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_place_is_no_answer_to_the_whole_and_has_a_model_and_headers(dialect: str) -> None:
    asked = found(dialect, PLAIN[dialect])
    whole = READER.asked(request(dialect, PLAIN[dialect]))
    assert whole is not None and whole.digest != asked.context
    assert found(dialect, PLAIN[dialect], model="n").context != asked.context
    assert found(dialect, PLAIN[dialect], headers=(("openai-beta", "x"),)).context != asked.context


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES, RESPONSES])
def test_a_lone_part_of_text_is_the_question_too(dialect: str) -> None:
    kind = "input_text" if dialect == RESPONSES else "text"
    body = with_last(dialect, [{"type": kind, "text": "Which city?"}])
    assert found(dialect, body) == found(dialect, PLAIN[dialect])


def test_a_bare_text_to_the_responses_api_is_a_question_without_exchanges() -> None:
    asked = found(RESPONSES, {"input": "Which city?"})
    assert (asked.text, asked.exchanges) == ("Which city?", 0)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("text", ["", " \n\t", "x" * (CHARS_MAX + 1), None, 5])
def test_nothing_much_too_much_and_no_text_at_all_are_no_questions(dialect: str, text: Any) -> None:
    assert question(dialect, with_last(dialect, text)) is None


TOOL = {"type": "function", "function": {"name": "f"}}
IMAGE = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        (CHAT, {"tools": [TOOL]}),
        (CHAT, {"functions": [{"name": "f"}]}),
        (CHAT, {"response_format": {"type": "json_object"}}),
        (CHAT, {"response_format": {"type": "json_schema", "json_schema": {"name": "s"}}}),
        (CHAT, {"n": 2}),
        (CHAT, {"logprobs": True}),
        (CHAT, {"top_logprobs": 2}),
        (CHAT, {"prediction": {"type": "content", "content": "a"}}),
        (CHAT, {"web_search_options": {"search_context_size": "low"}}),
        (CHAT, {"web_search_options": {}}),
        (CHAT, {"modalities": ["text", "audio"]}),
        (CHAT, {"guided_regex": "a+"}),
        (MESSAGES, {"tools": [{"name": "f", "input_schema": {}}]}),
        (MESSAGES, {"output_config": {"format": {"type": "json_schema", "schema": {}}}}),
        (MESSAGES, {"output_format": {"type": "json_schema", "schema": {}}}),
        (MESSAGES, {"system": [{"type": "document", "source": {}}]}),
        (RESPONSES, {"tools": [{"type": "function", "name": "f"}]}),
        (RESPONSES, {"text": {"format": {"type": "json_object"}}}),
        (RESPONSES, {"top_logprobs": 2}),
        (RESPONSES, {"include": ["message.output_text.logprobs"]}),
        (RESPONSES, {"prompt": {"id": "p"}}),
        (GENERATE, {"tools": [{"functionDeclarations": [{"name": "f"}]}]}),
        (GENERATE, {"cachedContent": "c"}),
        (GENERATE, {"generationConfig": {"responseMimeType": "application/json"}}),
        (GENERATE, {"generation_config": {"response_schema": {"type": "STRING"}}, "generationConfig": None}),
        (GENERATE, {"generationConfig": {"candidateCount": 2}}),
        (GENERATE, {"generationConfig": {"responseLogprobs": True}}),
        (GENERATE, {"generationConfig": {"responseModalities": ["AUDIO"]}}),
    ],
)
def test_where_more_than_plain_text_is_asked_for_nothing_similar_will_do(
    dialect: str, more: dict[str, Any]
) -> None:
    assert question(dialect, {**PLAIN[dialect], **more}) is None


@pytest.mark.parametrize(
    ("dialect", "more"),
    [
        (
            CHAT,
            {"tools": [], "functions": None, "logprobs": False, "n": 1, "response_format": {"type": "text"}},
        ),
        (CHAT, {"reasoning_effort": "low", "modalities": ["text"], "seed": 1, "stream": True}),
        (MESSAGES, {"tools": [], "thinking": {"type": "enabled", "budget_tokens": 1024}, "stream": True}),
        (MESSAGES, {"output_config": {"effort": "low"}}),
        (RESPONSES, {"text": {"verbosity": "low", "format": {"type": "text"}}, "tools": []}),
        (RESPONSES, {"reasoning": {"effort": "low"}, "include": []}),
        (GENERATE, {"generationConfig": {"responseMimeType": "text/plain", "responseModalities": ["TEXT"]}}),
        (GENERATE, {"generationConfig": {"candidateCount": 1}, "tools": []}),
    ],
)
def test_what_leaves_it_a_plain_answer_leaves_it_a_question(dialect: str, more: dict[str, Any]) -> None:
    assert found(dialect, {**PLAIN[dialect], **more}).text == "Which city?"


@pytest.mark.parametrize(
    ("dialect", "turns"),
    [
        (CHAT, [*TURNS, {"role": "assistant", "content": "Par"}]),
        (CHAT, [*TURNS, {"role": "system", "content": "Be kind."}]),
        (CHAT, [{"role": "user", "content": IMAGE}, *TURNS]),
        (CHAT, [{"role": "assistant", "content": "a", "tool_calls": [TOOL]}, *TURNS]),
        (CHAT, [{"role": "tool", "tool_call_id": "c", "content": "a"}, *TURNS]),
        (CHAT, [{"role": "user", "content": [*IMAGE, {"type": "text", "text": "a"}]}]),
        (CHAT, [{"role": "user", "content": [{"type": "text", "text": "a"}] * 2}]),
        (CHAT, [{"role": [], "content": "a"}]),
        (CHAT, [{"role": "user", "content": [{"type": [], "text": "a"}, {"type": {}}]}]),
        (MESSAGES, [{"role": {}, "content": [{"type": ["text"], "text": "a"}]}]),
        (RESPONSES, [{"role": "user", "content": [{"type": {}, "text": "a"}, {}]}]),
        (GENERATE, [{"role": [], "parts": [{"text": "a"}]}]),
        (CHAT, ["a"]),
        (CHAT, []),
        (CHAT, None),
        (MESSAGES, [{"role": "user", "content": [{"type": "image", "source": {}}]}, *TURNS]),
        (MESSAGES, [{"role": "assistant", "content": [{"type": "tool_use", "name": "f"}]}, *TURNS]),
        (MESSAGES, [*TURNS, {"role": "assistant", "content": "Par"}]),
        (RESPONSES, [{"type": "function_call_output", "call_id": "c", "output": "r"}, *TURNS]),
        (RESPONSES, [{"role": "user", "content": [{"type": "input_image", "image_url": "u"}]}, *TURNS]),
        (RESPONSES, [{"type": "item_reference", "id": "i"}, *TURNS]),
        (GENERATE, [{"role": "model", "parts": [{"text": "a"}]}]),
        (GENERATE, [{"role": "user", "parts": [{"text": "a"}, {"text": "b"}]}]),
        (GENERATE, [{"role": "user", "parts": [{"inlineData": {}}]}, {"parts": [{"text": "b"}]}]),
        (GENERATE, [{"role": "user", "parts": [{"functionResponse": {}}, {"text": "a"}]}]),
        (GENERATE, [{"role": "user"}]),
        (GENERATE, [{"role": "tool", "parts": [{"text": "a"}]}]),
    ],
)
def test_a_conversation_of_more_than_texts_or_without_the_users_last_word_has_none(
    dialect: str, turns: Any
) -> None:
    assert question(dialect, {**PLAIN[dialect], SAID_IN[dialect]: turns}) is None


def test_thoughts_between_the_turns_are_part_of_the_place() -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"}
    body = {**PLAIN[RESPONSES], "input": [TURNS[0], thought, *TURNS[1:]]}
    assert found(RESPONSES, body).exchanges == 1
    assert found(RESPONSES, body).context != found(RESPONSES, PLAIN[RESPONSES]).context
    block = {"type": "thinking", "thinking": "hm", "signature": "s"}
    said = [block, {"type": "text", "text": "hello"}]
    body = {**PLAIN[MESSAGES], "messages": [TURNS[0], {"role": "assistant", "content": said}, TURNS[2]]}
    assert found(MESSAGES, body).context != found(MESSAGES, PLAIN[MESSAGES]).context


@pytest.mark.parametrize("dialect", ["openai.completions", "openai.embeddings", "cohere.rerank"])
def test_what_is_no_chat_has_no_question(dialect: str) -> None:
    assert question(dialect, {"prompt": "a", "input": "a", "messages": TURNS}) is None
