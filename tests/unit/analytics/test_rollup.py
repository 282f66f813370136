"""Sums by the hour say the same as the requests they are made of."""

import random
from collections import Counter
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ports.usage import usage_event
from contracts.ports.usage_analysis import anything, sums_of
from domain.analytics.rollup import HOUR_US, RollupKey, RollupSums, group_id, month_of, roll_up


@given(st.integers(0, 60), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_every_request_is_in_exactly_one_sum(count: int, seed: int) -> None:
    draw = random.Random(seed)
    events = [anything(number, draw) for number in range(count)]

    rows = roll_up(events)

    assert len({row.key for row in rows}) == len(rows)
    for key, sums in rows:
        mine = [
            event
            for event in events
            if event.started_at_us // HOUR_US * HOUR_US == key.hour_us
            and all(
                getattr(event, name) == getattr(key, name) for name in RollupKey._fields if name != "hour_us"
            )
        ]
        assert sums == sums_of(mine)
    assert sum(row.sums.requests for row in rows) == count


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_it_does_not_matter_in_how_many_groups_requests_arrive(count: int, cut: int, seed: int) -> None:
    draw = random.Random(seed)
    events = [anything(number, draw) for number in range(count)]

    added: dict[RollupKey, Counter[str]] = {}
    for part in (events[:cut], events[cut:]):
        for key, sums in roll_up(part):
            added.setdefault(key, Counter()).update(sums._asdict())

    assert {
        key: RollupSums(**{name: found[name] for name in RollupSums._fields}) for key, found in added.items()
    } == {row.key: row.sums for row in roll_up(events)}


def test_what_callers_make_up_makes_no_rows() -> None:
    events = [
        usage_event(number, agent_id=f"a{number}", user_id=f"u{number}", session_id=f"s{number}")
        for number in range(50)
    ]

    assert len(roll_up(events)) == 1


def test_a_group_has_the_same_id_in_every_hour_and_another_one_for_another_team() -> None:
    (first,) = roll_up([usage_event(1)])
    (later,) = roll_up([usage_event(2, started_at_us=usage_event(1).started_at_us + HOUR_US)])
    (other,) = roll_up([usage_event(3, team="search")])
    (odd,) = roll_up([usage_event(4, team="lone \ud800 surrogate" * 1000)])

    ids = [group_id(row.key) for row in (first, later, other, odd)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert {len(one) for one in ids} == {32}


def test_tasks_are_told_apart_and_no_task_has_the_id_of_before() -> None:
    """Instances of the version before count into the same row during an upgrade."""
    (none,) = roll_up([usage_event(1, task="", cache="miss")])
    chat, code = roll_up([usage_event(2, task="code"), usage_event(3, task="chat", cache="off")])

    assert (chat.key.task, code.key.task) == ("chat", "code")
    assert len({group_id(row.key) for row in (none, chat, code)}) == 3
    assert group_id(none.key) == "63aedafe2301e6d077ecec2d2617fd4a"


@given(st.dates(date(1970, 1, 1), date(2200, 12, 31)))
@settings(max_examples=300)
def test_months_are_those_of_the_calendar(day: date) -> None:
    assert month_of((day - date(1970, 1, 1)) // timedelta(days=1)) == day.year * 12 + day.month - 1
