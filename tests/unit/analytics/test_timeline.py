"""The waterfall of one request, and why it went where it did, from its event alone."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.ports.usage import STARTED_AT_US, attempt, usage_event
from domain.analytics.timeline import decision, timeline

FAILED = attempt("req_1", 0, started_at_us=STARTED_AT_US + 100, duration_us=400, outcome="server_error")
ANSWERED = attempt("req_1", 1, model="large", started_at_us=STARTED_AT_US + 510, duration_us=390)


def shown(**fields: Any) -> list[tuple[str, int, int]]:
    return [(part.name, part.start_us, part.duration_us) for part in timeline(usage_event(1, **fields))]


def test_stages_follow_one_another_and_attempts_are_where_they_were() -> None:
    found = shown(
        entry_us=50,
        admit_us=30,
        cache_us=20,
        plan_us=10,
        hold_us=15,
        duration_us=1000,
        first_token_us=700,
        attempts=(FAILED, ANSWERED),
    )

    assert found == [
        ("entry", 0, 50),
        ("admit", 50, 30),
        ("cache", 80, 20),
        ("plan", 100, 10),
        ("hold", 135, 15),
        ("acme/small", 150, 400),
        ("acme/large", 560, 390),
        ("first token", 750, 0),
        ("finish", 950, 100),
    ]


def test_the_wait_for_a_limit_lies_within_its_stage() -> None:
    assert shown(admit_us=900, queue_us=800, duration_us=900, tries=0) == [
        ("admit", 0, 900),
        ("queue", 0, 800),
    ]


def test_an_answer_from_the_cache_has_no_attempt() -> None:
    found = shown(tries=0, admit_us=10, cache_us=40, duration_us=60)

    assert found == [("admit", 0, 10), ("cache", 10, 40), ("finish", 50, 10)]


def test_a_row_from_before_stages_were_recorded_shows_its_attempts() -> None:
    (first, *_) = timeline(usage_event(1, duration_us=1000, attempts=(FAILED,)))

    assert (first.kind, first.name, first.outcome) == ("attempt", "acme/small", "server_error")


@given(
    st.lists(st.integers(0, 10**7), min_size=5, max_size=5),
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), max_size=4),
    st.integers(0, 10**8),
)
def test_no_part_has_a_negative_time(
    stages: list[int], tries: list[tuple[int, int]], duration_us: int
) -> None:
    attempts = tuple(
        attempt("req_1", number, started_at_us=STARTED_AT_US + start, duration_us=took)
        for number, (start, took) in enumerate(tries)
    )
    names = ("entry_us", "admit_us", "cache_us", "plan_us", "hold_us")
    event = usage_event(
        1, **dict(zip(names, stages, strict=True)), duration_us=duration_us, attempts=attempts
    )

    parts = timeline(event)

    assert all(part.start_us >= 0 and part.duration_us >= 0 for part in parts)
    assert list(parts) == sorted(parts, key=lambda part: part.start_us)


def test_a_decision_is_taken_apart() -> None:
    found = decision(
        usage_event(
            1,
            planned="a/m,b/m",
            left_out="capability=3,breaker_open=1",
            demands="residency=eu-west,capabilities=vision+streaming",
        )
    )

    assert found.planned == ("a/m", "b/m")
    assert found.left_out == {"capability": 3, "breaker_open": 1}
    assert found.demands == {"residency": "eu-west", "capabilities": "vision+streaming"}
    assert decision(usage_event(2))[3:6] == ((), {}, {})
