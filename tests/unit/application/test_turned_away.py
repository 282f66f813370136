"""Bad credentials are counted by address; good ones never come by."""

import pytest

from adapters.memory.system import SteppingClock
from application.turned_away import ADDRESSES_MAX, TurnedAway
from domain.errors import TooManyFailures


def test_an_address_gets_its_share_of_plain_refusals_and_then_waits_for_its_minute() -> None:
    clock = SteppingClock()
    counter = TurnedAway(clock, per_minute=3)
    for _ in range(3):
        counter.count("203.0.113.7")
    clock.advance(20)

    with pytest.raises(TooManyFailures) as told:
        counter.count("203.0.113.7")
    assert told.value.retry_after_s == 40
    counter.count("203.0.113.8")

    clock.advance(40)
    counter.count("203.0.113.7")
    assert counter.total == 6


@pytest.mark.parametrize(
    ("one", "same"),
    [("2001:db8::1", "2001:db8::ffff:2"), ("::ffff:203.0.113.7", "203.0.113.7"), ("", "")],
)
def test_addresses_of_one_holder_count_together(one: str, same: str) -> None:
    counter = TurnedAway(SteppingClock(), per_minute=1)
    counter.count(one)

    with pytest.raises(TooManyFailures):
        counter.count(same)


def test_other_networks_do_not() -> None:
    counter = TurnedAway(SteppingClock(), per_minute=1)
    counter.count("2001:db8:0:1::1")
    counter.count("2001:db8:0:2::1")
    counter.count("::ffff:203.0.113.7")
    counter.count("::ffff:203.0.113.8")


def test_whoever_failed_least_recently_is_forgotten_first() -> None:
    counter = TurnedAway(SteppingClock(), per_minute=1)
    for number in range(ADDRESSES_MAX + 1):
        counter.count(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(counter._seen) == ADDRESSES_MAX
    counter.count("10.0.0.0")


def test_whoever_failed_too_often_makes_no_costly_attempt_until_the_minute_is_over() -> None:
    clock = SteppingClock()
    counter = TurnedAway(clock, per_minute=2)
    for _ in range(2):
        counter.refuse("203.0.113.7")
        counter.count("203.0.113.7")

    with pytest.raises(TooManyFailures):
        counter.refuse("203.0.113.7")
    counter.refuse("203.0.113.8")
    clock.advance(60)
    counter.refuse("203.0.113.7")
