"""Whatever a conversation looks like: marks are few, stand where they may, and change nothing else."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire.prompt_marks import encoded
from adapters.wire.registry import codec_for
from application.ports.wire import ANTHROPIC_MESSAGES
from domain.routing.prompt_cache import PromptCaching, PromptCachingPolicy
from entrypoints.simulator.anthropic_shape import parse_messages
from tests.unit.wire.calls import call
from tests.unit.wire.test_prompt_marks import claude, marked

words = st.sampled_from(["", " ", "\n", "hi", "\u00e9\u4e2d", '"cache_control"', "x" * 6_000])
blocks = st.one_of(
    words.map(lambda said: {"type": "text", "text": said}),
    words.map(lambda said: {"type": "tool_result", "tool_use_id": "t", "content": said}),
    st.just({"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}),
    st.just({"type": "thinking", "thinking": "x", "signature": "s"}),
    st.just({"type": "unheard_of", "more": [1, {"a": None}]}),
)
contents = st.one_of(words, st.lists(blocks, max_size=4))
turns = st.lists(
    st.builds(
        lambda role, content: {"role": role, "content": content},
        st.sampled_from(["user", "assistant"]),
        contents,
    ),
    min_size=1,
    max_size=6,
)
tools = st.lists(
    st.builds(
        lambda later, said: {
            "name": "f",
            "description": said,
            "input_schema": {"type": "object"},
            **({"defer_loading": True} if later else {}),
        },
        st.booleans(),
        words,
    ),
    max_size=3,
)
systems = st.one_of(
    st.none(), words, st.lists(words.map(lambda said: {"type": "text", "text": said}), max_size=3)
)


def without_marks(value: Any) -> Any:
    """Marks taken out, and text that became a list for them a text again."""
    if isinstance(value, dict):
        return {name: without_marks(inner) for name, inner in value.items() if name != "cache_control"}
    if isinstance(value, list):
        if (
            len(value) == 1
            and isinstance(value[0], dict)
            and set(value[0]) == {"type", "text", "cache_control"}
        ):
            return value[0]["text"]
        return [without_marks(inner) for inner in value]
    return value


def simplest(value: Any) -> Any:
    """The same with every list of one text as that text, so that both spellings compare."""
    if isinstance(value, dict):
        return {name: simplest(inner) for name, inner in value.items()}
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict) and set(value[0]) == {"type", "text"}:
            return value[0]["text"]
        return [simplest(inner) for inner in value]
    return value


@settings(max_examples=150, deadline=None)
@given(systems, tools, turns, st.sampled_from([None, 1, 2_000]), st.booleans())
def test_marks_are_valid_and_nothing_else_changes(
    system: Any, tools: list[Any], turns: list[Any], tokens_min: int | None, long: bool
) -> None:
    body = {"model": "m", "max_tokens": 9, "messages": turns}
    body |= ({"tools": tools} if tools else {}) | ({} if system is None else {"system": system})
    asked = call(ANTHROPIC_MESSAGES, body, to=claude())
    policy = PromptCachingPolicy(mode=PromptCaching.AUTO, tokens_min=tokens_min, long=long)
    codec = codec_for(ANTHROPIC_MESSAGES, ANTHROPIC_MESSAGES)

    plain = json.loads(codec.request(asked).body)
    sent = json.loads(encoded(codec, marked(asked, policy)).body)

    assert simplest(without_marks(sent)) == simplest(plain)
    if turns[-1]["role"] != "assistant":
        parse_messages(sent)  # refuses what Anthropic refuses: a fifth mark, one on thinking or on blank text
