"""What is found wrong with answers, and, more than that, what is not."""

import pytest

from domain.quality.checks import AnswerText, TextLimits, flags, found_in_text, looks_like_refusal

REFUSALS = [
    "I'm sorry, but I can't assist with that request.",
    "I\u2019m sorry, but I can\u2019t help with that.",
    "Sorry, I cannot provide instructions for this.",
    "I cannot fulfill your request. I am a helpful assistant.",
    "As an AI language model, I cannot have opinions on this.",
    "Es tut mir leid, aber ich kann dir dabei nicht helfen.",
    "Je suis désolé, mais je ne peux pas vous aider avec cela.",
    "Lo siento, pero no puedo ayudarte con eso.",
    "Mi dispiace, ma non posso aiutarti.",
    "Desculpe, mas não posso ajudar com isso.",
    "抱歉\uff0c我无法协助满足该请求。",
    "申し訳ありませんが、そのリクエストにはお手伝いできません。",
]
NO_REFUSALS = [
    "I'm sorry to hear that. Here is what you can do.",
    "Sorry, I can't make it to the meeting on Friday. Could we move it?",
    "You cannot provide a list where a string is expected.",
    "Es tut mir leid, aber ich kann morgen nicht kommen.",
    "Unfortunately, the train was late.",
    "I can't believe it worked!",
    "Je suis désolé, mais je ne peux pas venir demain.",
    "I can help with that.",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_known_by_how_it_begins(text: str) -> None:
    assert looks_like_refusal(text)


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_an_apology_is_no_refusal(text: str) -> None:
    assert not looks_like_refusal(text)


def test_a_long_text_that_begins_like_a_refusal_goes_on_to_help() -> None:
    assert not looks_like_refusal(REFUSALS[0] + " But here is the recipe." * 100)


@pytest.mark.parametrize(
    ("outcome", "reason", "tokens", "operation", "found"),
    [
        ("ok", "stop", 12, "chat", ""),
        ("ok", "tool_calls", 0, "chat", ""),
        ("ok", "length", 12, "chat", "truncated"),
        ("ok", "content_filter", 3, "chat", "refusal"),
        ("ok", "stop", 0, "chat", "empty"),
        ("ok", "stop", None, "chat", ""),
        ("ok", "stop", 0, "embeddings", ""),
        ("cut", "", 5, "chat", "cut"),
        ("error", "", 0, "chat", ""),
        ("cancelled", "length", 0, "chat", ""),
        ("refused", "", 0, "chat", ""),
    ],
)
def test_flags_are_told_from_the_record_alone(
    outcome: str, reason: str, tokens: int | None, operation: str, found: str
) -> None:
    assert flags(outcome, reason, tokens, operation) == found


def test_json_is_checked_only_where_it_was_asked_for() -> None:
    assert found_in_text(AnswerText("{oops")) == ()
    assert found_in_text(AnswerText("{oops", wants_json=True)) == ("invalid_json",)
    assert found_in_text(AnswerText('{"a": NaN}', wants_json=True)) == ("invalid_json",)
    assert found_in_text(AnswerText('```json\n{"a": 1}\n```', wants_json=True)) == ("invalid_json",)
    assert found_in_text(AnswerText('{"a": 1}', wants_json=True)) == ()


def test_nested_beyond_reason_is_no_json() -> None:
    assert found_in_text(AnswerText("[" * 100_000, wants_json=True), ("invalid_json",)) == ("invalid_json",)


def test_json_of_another_schema_is_told_apart() -> None:
    assert found_in_text(AnswerText("{}", wants_json=True, schema_kept=False)) == ("schema_mismatch",)
    assert found_in_text(AnswerText("{}", wants_json=True, schema_kept=True)) == ()


def test_json_that_ended_at_a_limit_is_not_blamed_twice() -> None:
    assert found_in_text(AnswerText('{"a": ', wants_json=True, finish_reason="length")) == ()
    assert found_in_text(AnswerText('{"a": ', wants_json=True, whole=False)) == ()


def test_an_answer_that_calls_tools_need_not_say_anything() -> None:
    assert found_in_text(AnswerText("")) == ("empty",)
    assert found_in_text(AnswerText(" \n")) == ("empty",)
    assert found_in_text(AnswerText("", calls_tools=True)) == ()


def test_the_same_again_and_again_is_found_and_prose_is_not() -> None:
    assert found_in_text(AnswerText("and then we went home " * 100)) == ("repetitive",)
    table = "\n".join(f"| {n} | {n * n} | value of row {n} |" for n in range(100))
    assert found_in_text(AnswerText(table)) == ()


def test_lengths_are_held_against_what_the_route_says() -> None:
    limits = TextLimits(chars_min=10, chars_max=20)
    assert found_in_text(AnswerText("short"), limits=limits) == ("too_short",)
    assert found_in_text(AnswerText("x" * 21), limits=limits) == ("too_long",)
    assert found_in_text(AnswerText("x" * 15), limits=limits) == ()
    assert found_in_text(AnswerText("short")) == ()


def test_only_what_is_wanted_is_found() -> None:
    assert found_in_text(AnswerText("{oops", wants_json=True), ("refusal",)) == ()
