"""A conversation said in each family's dialect and read back means the same."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.wire import anthropic_requests, anthropic_to_chat, gemini_requests, gemini_to_chat
from adapters.wire.pivot_codec import Draft
from adapters.wire.thoughts import FIELD
from application.ports.llm import UpstreamCall
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE
from tests.unit.wire.calls import call, thinker

WORDS = st.text(alphabet='ab é"\\{}<', min_size=1, max_size=10).filter(lambda text: bool(text.strip()))
ARGUMENTS = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers() | WORDS, max_size=2)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
LINK = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
FILE = {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QUJD"}}
FORMATS = {ANTHROPIC_MESSAGES: "anthropic-claude-v1", GEMINI_GENERATE: "google-gemini-v1"}


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Instructions, then questions and answers in turn; calls are followed by their results."""
    said: list[dict[str, Any]] = []
    if draw(st.booleans()):
        said.append({"role": "system", "content": draw(WORDS)})
    count = 0
    for _ in range(draw(st.integers(1, 3))):
        parts: list[dict[str, Any]] = [{"type": "text", "text": draw(WORDS)}]
        parts += draw(st.lists(st.sampled_from([IMAGE, LINK, FILE]), max_size=2))
        said.append({"role": "user", "content": parts})
        made = []
        for _ in range(draw(st.integers(0, 2))):
            count += 1
            function = {"name": draw(st.sampled_from("fg")), "arguments": json.dumps(draw(ARGUMENTS))}
            made.append({"id": f"call_{count}", "type": "function", "function": function})
        answer: dict[str, Any] = {"role": "assistant", "content": draw(WORDS)}
        if made:
            answer["tool_calls"] = made
        said.append(answer)
        for one in made:
            failed = {"is_error": True} if draw(st.booleans()) else {}
            text = ("Error: " if failed else "") + draw(WORDS)
            said.append({"role": "tool", "tool_call_id": one["id"], "content": text, **failed})
    if said[-1]["role"] == "assistant":
        said.append({"role": "user", "content": [{"type": "text", "text": draw(WORDS)}]})
    return said


def meaning(messages: list[dict[str, Any]]) -> list[Any]:
    """What is said by whom, whatever the form: one entry per speaker's turn."""
    found: list[Any] = []
    for message in messages:
        role, content = message["role"], message.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
        if role == "tool":
            parts = [{**part, "text": _result(part["text"])} if "text" in part else part for part in parts]
        calls = [
            (one["id"], one["function"]["name"], json.loads(one["function"]["arguments"]))
            for one in message.get("tool_calls") or ()
        ]
        entry = [role, parts, calls, message.get("tool_call_id"), bool(message.get("is_error"))]
        if role == "user" and found and found[-1][0] == "user":
            found[-1][1] = found[-1][1] + parts
        else:
            found.append(entry)
    return found


def _result(text: str) -> str:
    """Gemini takes results that are objects as objects: white space around their members says nothing."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(value) if isinstance(value, dict) else text


def there_and_back(
    dialect: str, chat: dict[str, Any], asked: UpstreamCall
) -> tuple[dict[str, Any], list[str]]:
    draft = Draft(asked, dialect)
    to, back = {
        ANTHROPIC_MESSAGES: (anthropic_requests.from_chat, anthropic_to_chat.to_chat),
        GEMINI_GENERATE: (gemini_requests.from_chat, gemini_to_chat.to_chat),
    }[dialect]
    body = msgspec.json.decode(msgspec.json.encode(to(chat, draft)))
    return back({"model": "m", **body}, draft), list(draft.dropped)


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
@given(messages=turns())
@example(
    messages=[
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {
            "role": "assistant",
            "content": "b",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": " {}"},
    ]
)
@settings(max_examples=80, deadline=None)
def test_a_conversation_means_the_same_after_the_way_there_and_back(
    dialect: str, messages: list[dict[str, Any]]
) -> None:
    found, dropped = there_and_back(dialect, {"model": "m", "messages": messages}, call())
    assert meaning(found["messages"]) == meaning(messages)
    assert dropped == []


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
@given(
    options=st.fixed_dictionaries(
        {},
        optional={
            "temperature": st.sampled_from([0.0, 0.5, 1.0]),
            "top_k": st.integers(1, 40),
            "stop": st.lists(st.text("ab", min_size=1), min_size=1, max_size=2),
            "max_tokens": st.integers(1, 900),
            "service_tier": st.just("default"),
            "tool_choice": st.sampled_from(
                ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}]
            ),
        },
    ),
    names=st.lists(st.sampled_from("fgh"), min_size=1, max_size=3, unique=True).filter(lambda n: "f" in n),
)
@settings(max_examples=80, deadline=None)
def test_options_and_tools_mean_the_same_after_the_way_there_and_back(
    dialect: str, options: dict[str, Any], names: list[str]
) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    tools = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]
    said = [{"role": "user", "content": "x"}]
    chat = {"model": "m", "messages": said, "max_tokens": 50, "tools": tools, **options}
    found, dropped = there_and_back(dialect, chat, call())
    for name, value in chat.items():
        if name not in ("messages", "model"):
            assert found[name] == value, name
    assert dropped == []


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_marks_return_to_their_maker_and_to_nobody_else(dialect: str) -> None:
    own = {
        "format": FORMATS[dialect],
        "type": "reasoning.text",
        "text": "hm",
        "signature": "c2ln",
        "index": 0,
    }
    foreign = {"format": "openai-responses-v1", "type": "reasoning.encrypted", "data": "x", "index": 1}
    answer = {"role": "assistant", "content": "so", FIELD: [own, foreign]}
    said = [{"role": "user", "content": "a"}, answer, {"role": "user", "content": "b"}]
    found, dropped = there_and_back(dialect, {"model": "m", "messages": said}, call(to=thinker()))
    (detail,) = found["messages"][1][FIELD]
    assert detail["signature"] == "c2ln" and detail["format"] == FORMATS[dialect]
    assert dropped == ["messages.reasoning_details"]


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_an_instruction_in_the_middle_stays_where_it_stands(dialect: str) -> None:
    said = [
        {"role": "system", "content": "first"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "developer", "content": "speak French"},
        {"role": "user", "content": "c"},
    ]
    found, dropped = there_and_back(dialect, {"model": "m", "messages": said}, call())
    assert [message["role"] for message in found["messages"]] == ["system", "user", "assistant", "user"]
    assert found["messages"][0]["content"] == "first"
    instruction, question = found["messages"][3]["content"]
    assert instruction["text"] == "<system>\nspeak French\n</system>" and question["text"] == "c"
    assert dropped == ["messages.role"]


@pytest.mark.parametrize("dialect", [ANTHROPIC_MESSAGES, GEMINI_GENERATE])
def test_results_come_before_whatever_else_was_said_in_between(dialect: str) -> None:
    function = {"name": "f", "arguments": "{}"}
    said = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function", "function": function}]},
        {"role": "system", "content": "hurry"},
        {"role": "tool", "tool_call_id": "call_1", "content": "r"},
    ]
    found, _ = there_and_back(dialect, {"model": "m", "messages": said}, call())
    assert [message["role"] for message in found["messages"]] == ["user", "assistant", "tool", "user"]
