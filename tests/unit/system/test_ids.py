"""Ids in time order, whatever the clock does."""

from adapters.memory.system import CountingIds, SteppingClock
from adapters.system.ids import TimeOrderedIds


def test_ids_keep_rising_when_the_clock_is_set_back() -> None:
    times = iter([1000, 2000, 500, 500, 2001])
    ids = TimeOrderedIds(now_ms=lambda: next(times), entropy=lambda: 2**64 - 1)

    made = [ids.next("req") for _ in range(5)]

    assert made == sorted(set(made))


def test_ids_of_two_processes_differ_in_the_same_millisecond() -> None:
    first = TimeOrderedIds(now_ms=lambda: 1, entropy=lambda: 1)
    second = TimeOrderedIds(now_ms=lambda: 1, entropy=lambda: 2**40)

    assert {first.next("a") for _ in range(100)}.isdisjoint({second.next("a") for _ in range(100)})


def test_the_longest_prefix_stays_within_forty_characters() -> None:
    assert len(TimeOrderedIds().next("a" * 11)) == 40


def test_the_text_sorts_by_time() -> None:
    now_ms = [1]
    ids = TimeOrderedIds(now_ms=lambda: now_ms[0])
    made = []
    for step in (1, 10, 10**6, 10**12):
        now_ms[0] = step
        made.append(ids.next("x"))

    assert made == sorted(made)


def test_a_stepping_clock_moves_only_when_told_and_never_back() -> None:
    clock = SteppingClock()
    before = clock.monotonic(), clock.utc_now()
    assert (clock.monotonic(), clock.utc_now()) == before

    clock.advance(1.5)

    assert clock.monotonic() - before[0] == 1.5
    assert (clock.utc_now() - before[1]).total_seconds() == 1.5
    try:
        clock.advance(-1)
    except ValueError:
        pass
    else:
        raise AssertionError("it went back")


def test_counted_ids_are_the_same_in_every_run() -> None:
    assert CountingIds().next("req") == CountingIds().next("req") == "req_000000000001"
