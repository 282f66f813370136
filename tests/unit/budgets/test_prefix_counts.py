"""A conversation's next turn is bounded by what the provider counted of it before."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from adapters.wire.heads import DialectReader
from adapters.wire.openings import BODY_BYTES_MIN
from application.ports.wire import ANTHROPIC_MESSAGES, GEMINI_GENERATE, OPENAI_CHAT, OPENAI_RESPONSES
from application.prefix_counts import PrefixCounts
from domain.analytics.event import AttemptEvent
from domain.budgets.token_bounds import KnownPrefix
from domain.catalog.prices import Rates
from domain.llm.request import LlmRequest
from domain.routing.target import Target
from tests.unit.budgets.requests import at, job_of, offering, read

LONG = "word " * BODY_BYTES_MIN
TARGET = at(offering(Rates(input=1, output=1)))
NAMES = {
    OPENAI_CHAT: "messages",
    ANTHROPIC_MESSAGES: "messages",
    OPENAI_RESPONSES: "input",
    GEMINI_GENERATE: "contents",
}


def say(dialect: str, role: str, text: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"text": text}]
    if dialect == GEMINI_GENERATE:
        return {"role": role, "parts": parts}
    if dialect == ANTHROPIC_MESSAGES:
        return {"role": role, "content": [{"type": "text", "text": text}]}
    return {"role": role, "content": text}


def turn(dialect: str, *said: str, model: str = "m", mark: bool = False) -> LlmRequest:
    items = [say(dialect, ("user", "assistant")[place % 2], text) for place, text in enumerate(said)]
    if mark:
        items[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    body = {"model": model, NAMES[dialect]: items, "max_tokens": 50, "tools": []}
    return read(dialect, msgspec.json.encode(body))


def answered(
    counts: PrefixCounts, request: LlmRequest, tokens: int, *, tenant: str = "t", **row: Any
) -> None:
    job = job_of(request, TARGET, tenant=tenant)
    job.answered_by = TARGET
    fields = dict.fromkeys(AttemptEvent._fields, 0) | {"outcome": "ok", "estimated": False} | row
    job.attempts.append(AttemptEvent(**(fields | {"input_tokens": tokens})))  # type: ignore[arg-type]
    counts.answered(job)


def known(
    counts: PrefixCounts, request: LlmRequest, *, tenant: str = "t", target: Target = TARGET
) -> KnownPrefix | None:
    return counts.known(tenant, request, target)


@pytest.mark.parametrize("dialect", NAMES)
def test_the_next_turn_is_what_was_counted_and_the_bytes_that_are_new(dialect: str) -> None:
    counts = PrefixCounts(DialectReader())
    answered(counts, turn(dialect, LONG), 2_100)

    found = known(counts, turn(dialect, LONG, "fine", "and now?"))

    assert found is not None
    assert found.tokens == 2_100
    assert len("fine and now?") < found.rest_bytes < 250


def test_a_mark_for_caching_that_moved_on_does_not_matter() -> None:
    counts = PrefixCounts(DialectReader())
    answered(counts, turn(ANTHROPIC_MESSAGES, LONG, mark=True), 2_100)

    assert known(counts, turn(ANTHROPIC_MESSAGES, LONG, "fine", "and now?", mark=True)) is not None


def test_words_that_only_look_like_a_mark_still_count() -> None:
    counts = PrefixCounts(DialectReader())
    answered(counts, turn(OPENAI_CHAT, LONG), 2_100)
    disguise = ',"cache_control":{"type":"ephemeral"}' * 20

    found = known(counts, turn(OPENAI_CHAT, LONG, disguise, "x"))

    assert found is not None
    assert found.rest_bytes > len(disguise)


@pytest.mark.parametrize(
    "changed",
    [
        turn(OPENAI_CHAT, LONG + "!", "fine", "and now?"),
        turn(OPENAI_CHAT, LONG, "fine", model="another"),
    ],
)
def test_another_beginning_is_not_what_was_counted(changed: LlmRequest) -> None:
    counts = PrefixCounts(DialectReader())
    answered(counts, turn(OPENAI_CHAT, LONG), 2_100)

    assert known(counts, changed) is None


def test_counts_of_other_tenants_and_other_models_mean_nothing() -> None:
    counts = PrefixCounts(DialectReader())
    answered(counts, turn(OPENAI_CHAT, LONG), 2_100)
    following = turn(OPENAI_CHAT, LONG, "fine", "and now?")
    another = at(replace(offering(Rates(input=1, output=1)), model="gpt-y"))

    assert known(counts, following, tenant="other") is None
    assert known(counts, following, target=another) is None
    assert known(counts, following) is not None


@pytest.mark.parametrize("row", [{"estimated": True}, {"outcome": "cancelled"}])
def test_a_count_of_ours_is_no_count(row: dict[str, Any]) -> None:
    counts = PrefixCounts(DialectReader())

    answered(counts, turn(OPENAI_CHAT, LONG), 2_100, **row)

    assert known(counts, turn(OPENAI_CHAT, LONG, "fine")) is None


def test_the_conversation_unused_longest_is_forgotten_first() -> None:
    counts = PrefixCounts(DialectReader(), conversations_max=1)
    answered(counts, turn(OPENAI_CHAT, LONG), 2_100)
    answered(counts, turn(OPENAI_CHAT, LONG + "another"), 2_200)

    assert known(counts, turn(OPENAI_CHAT, LONG, "fine")) is None
    assert known(counts, turn(OPENAI_CHAT, LONG + "another", "fine")) is not None
