"""The state machine of an alert."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.sla.alert import (
    FIRINGS_PER_HOUR_MAX,
    HOUR_US,
    US,
    Alert,
    AlertState,
    Change,
    Timing,
    Verdict,
    alert_id,
    step,
)

START_US = 1_772_366_400_000_000
TIMING = Timing(for_s=300, resolve_s=120)
NEW = Alert(rule="latency-p95", subject="", tenant_id="default", since_us=START_US)
BAD, GOOD, BETWEEN, UNKNOWN = Verdict.BREACHED, Verdict.CLEAR, Verdict.BETWEEN, Verdict.UNKNOWN


def walk(alert: Alert, *looks: tuple[float, Verdict]) -> tuple[Alert, list[tuple[float, Change]]]:
    """The alert after looks at these seconds, and what was told when."""
    told = []
    for at_s, verdict in looks:
        alert, change = step(alert, verdict, TIMING, START_US + round(at_s * US))
        if change is not None:
            told.append((at_s, change))
    return alert, told


def fired() -> Alert:
    alert, _ = walk(NEW, (0, BAD), (300, BAD))
    return alert


def test_it_fires_once_it_was_bad_for_long_enough() -> None:
    alert, told = walk(NEW, (0, BAD), (150, BAD), (299, BAD), (300, BAD), (315, BAD))

    assert told == [(300, Change.FIRED)]
    assert alert.state is AlertState.FIRING
    assert alert.fired_at_us == START_US + 300 * US


def test_one_good_look_before_that_starts_anew() -> None:
    alert, told = walk(NEW, (0, BAD), (299, GOOD), (300, BAD), (599, BAD))

    assert told == []
    assert alert.state is AlertState.PENDING


def test_without_traffic_nothing_fires() -> None:
    alert, told = walk(NEW, (0, BAD), (299, UNKNOWN), (300, BAD))

    assert told == []
    assert alert.state is AlertState.PENDING


def test_it_is_over_once_it_was_clear_for_long_enough() -> None:
    alert, told = walk(fired(), (400, GOOD), (519, GOOD), (520, GOOD))

    assert told == [(520, Change.RESOLVED)]
    assert alert.state is AlertState.INACTIVE


def test_between_threshold_and_clear_it_goes_on_firing() -> None:
    alert, told = walk(fired(), (400, GOOD), (450, BETWEEN), (520, GOOD), (639, GOOD))

    assert told == []
    assert alert.firing


def test_with_nothing_to_judge_for_an_hour_it_is_over() -> None:
    _, told = walk(fired(), (400, UNKNOWN), (3999, UNKNOWN), (4000, UNKNOWN))

    assert told == [(4000, Change.RESOLVED)]


def test_while_silenced_nothing_is_told_and_what_still_fires_then_is() -> None:
    silenced = replace(NEW, silenced_until_us=START_US + 1000 * US)

    alert, told = walk(silenced, (0, BAD), (300, BAD), (999, BAD))
    assert told == []
    assert alert.firing

    _, told = walk(alert, (1000, BAD))
    assert told == [(1000, Change.FIRED)]


def test_what_was_never_told_is_not_told_to_be_over() -> None:
    silenced = replace(NEW, silenced_until_us=START_US + 10_000 * US)

    alert, told = walk(silenced, (0, BAD), (300, BAD), (400, GOOD), (520, GOOD))

    assert told == []
    assert alert.state is AlertState.INACTIVE


def test_a_silence_does_not_keep_back_that_it_is_over() -> None:
    silenced = replace(fired(), silenced_until_us=START_US + 10_000 * US)

    _, told = walk(silenced, (400, GOOD), (520, GOOD))

    assert told == [(520, Change.RESOLVED)]


def test_its_id_is_of_rule_subject_and_tenant() -> None:
    ids = {alert_id(*each) for each in (("a", "b", "c"), ("ab", "", "c"), ("a", "bc", ""), ("a", "b", "d"))}

    assert len(ids) == 4
    assert alert_id("a", "b", "c") in ids


looks = st.lists(st.tuples(st.integers(1, 400), st.sampled_from([BAD, GOOD, BETWEEN, UNKNOWN])), max_size=400)


@given(looks, st.sampled_from([Timing(0, 0), Timing(0, 30), Timing(60, 60)]))
def test_told_firings_and_ends_take_turns_and_are_bounded(
    moves: list[tuple[int, Verdict]], timing: Timing
) -> None:
    alert, now_us, told = NEW, START_US, []
    for after_s, verdict in moves:
        now_us += after_s * US
        before = alert
        alert, change = step(alert, verdict, timing, now_us)
        if change is not None:
            told.append((now_us, change))
        assert alert.firing or not alert.told
        assert alert.episode - before.episode in (0, 1)

    kinds = [change for _, change in told]
    assert kinds == [(Change.FIRED, Change.RESOLVED)[i % 2] for i in range(len(kinds))]
    firings = [at for at, change in told if change is Change.FIRED]
    for first in firings:
        within = [at for at in firings if first <= at < first + HOUR_US]
        assert len(within) <= FIRINGS_PER_HOUR_MAX


@given(looks)
def test_it_fires_only_after_nothing_but_bad_looks(moves: list[tuple[int, Verdict]]) -> None:
    alert, now_us, bad_since = NEW, START_US, None
    for after_s, verdict in moves:
        now_us += after_s * US
        was_firing = alert.firing
        bad_since = None if verdict is not BAD else bad_since or now_us
        alert, _ = step(alert, verdict, TIMING, now_us)
        if alert.firing and not was_firing:
            assert bad_since is not None
            assert now_us - bad_since >= TIMING.for_s * US


@given(looks, st.integers(0, 50))
def test_a_clock_that_goes_back_breaks_nothing(moves: list[tuple[int, Verdict]], back_s: int) -> None:
    alert, now_us = NEW, START_US
    for after_s, verdict in moves:
        now_us += (after_s - back_s) * US
        since = alert.since_us
        alert, _ = step(alert, verdict, TIMING, now_us)
        assert alert.since_us >= since
