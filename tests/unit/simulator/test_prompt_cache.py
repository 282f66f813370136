"""The simulated provider keeps prompts as providers do: by marks or by itself, and for a while."""

from typing import Any

import pytest

from entrypoints.simulator.anthropic_shape import parse_messages
from entrypoints.simulator.conversation import Rejected, Tokens
from entrypoints.simulator.openai_requests import parse_chat
from entrypoints.simulator.prompt_cache import LONG_TTL_S, TTL_S, PromptCache

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
RULES = "rule " * 1_000
RULES_TOKENS = len(RULES) // 4


def text(said: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": said, **({"cache_control": mark} if mark else {})}


def talk(*said: dict[str, Any], mark: dict[str, str] | None = MARK) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "system": [text(RULES, mark)], "messages": list(said)}


def user(said: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    return {"role": "user", "content": [text(said, mark)]}


def count(cache: PromptCache, body: dict[str, Any], now_s: float = 0.0) -> Tokens:
    ask = parse_messages(body)
    return cache.counted("p", ask, Tokens(ask.input_tokens, 1), now_s=now_s)


def test_what_is_marked_is_written_once_and_then_read() -> None:
    cache = PromptCache()

    first, second = count(cache, talk(user("a"))), count(cache, talk(user("b")))

    assert (first.cached, first.cache_write) == (0, RULES_TOKENS)
    assert (second.cached, second.cache_write) == (RULES_TOKENS, 0)


def test_each_mark_is_kept_for_itself() -> None:
    cache, long = PromptCache(), "file " * 2_000
    count(cache, talk(user(long, MARK)))

    other = count(cache, talk(user("something else", MARK)))

    assert other.cached == RULES_TOKENS and other.cache_write > 0


def test_a_rolling_mark_reads_what_the_turn_before_wrote() -> None:
    cache = PromptCache()
    first = [user("one " * 500, MARK)]
    later = [user("one " * 500), {"role": "assistant", "content": "so"}, user("two " * 500, MARK)]

    wrote, reads = count(cache, talk(*first, mark=None)), count(cache, talk(*later, mark=None))

    assert wrote.cache_write == reads.cached > RULES_TOKENS
    assert 0 < reads.cache_write < reads.cached


@pytest.mark.parametrize(("mark", "ttl_s"), [(MARK, TTL_S), (HOUR, LONG_TTL_S)])
def test_it_is_forgotten_after_its_time_and_reading_prolongs_it(mark: dict[str, str], ttl_s: float) -> None:
    cache, body = PromptCache(), talk(user("a"), mark=mark)

    counted = [count(cache, body, now_s) for now_s in (0.0, ttl_s - 1, 2 * ttl_s - 2, 3 * ttl_s)]

    assert [tokens.cached > 0 for tokens in counted] == [False, True, True, False]
    assert (counted[0].cache_write_long > 0) == (mark is HOUR)


def test_short_prompts_and_unmarked_ones_are_not_kept() -> None:
    cache = PromptCache()
    short = {"model": "m", "max_tokens": 9, "system": [text("short", MARK)], "messages": [user("x " * 4_000)]}

    for body in (short, talk(user("a"), mark=None)):
        assert count(cache, body)[2:5] == count(cache, body)[2:5] == (0, 0, 0)


def test_tools_are_the_first_part_of_a_prompt() -> None:
    cache = PromptCache()
    tool = {"name": "look", "description": RULES, "input_schema": {"type": "object"}, "cache_control": MARK}
    body = {**talk(user("a"), mark=None), "tools": [tool]}

    first, again = count(cache, body), count(cache, {**body, "system": "other rules"})

    assert first.cache_write == again.cached > RULES_TOKENS


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": [text("a", MARK)] * 5},
        {"role": "user", "content": [text(" ", MARK)]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "", "cache_control": MARK}]},
        {"role": "user", "content": [text("a", {"type": "for ever"})]},
    ],
)
def test_marks_where_none_may_be_are_refused(message: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        parse_messages({"model": "m", "max_tokens": 9, "messages": [message]})


def test_long_beginnings_are_found_without_marks_elsewhere() -> None:
    cache = PromptCache()
    body = {"model": "m", "messages": [{"role": "user", "content": RULES * 2}]}
    ask = parse_chat(body)

    found = [
        cache.counted("p", ask, Tokens(ask.input_tokens, 1), now_s=now_s).cached
        for now_s in (0.0, 1.0, TTL_S + 2)
    ]

    assert found[0] == found[2] == 0 < found[1]
