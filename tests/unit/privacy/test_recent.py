"""Values of earlier turns come back to the caller who sent them, for a while, and to nobody else."""

from application.privacy.recent import CALLERS_MAX, KEPT_S, VALUES_MAX, Caller, RecentValues
from domain.privacy.kinds import PiiKind
from domain.privacy.placeholders import Placeholders

ME = Caller("t", "k", "u", "")


def sent(*values: str) -> Placeholders:
    made = Placeholders(b"key")
    for value in values:
        made.stand_for(PiiKind.EMAIL_ADDRESS, value, reversible=True)
    return made


def turn(recent: RecentValues, caller: Caller, placeholders: Placeholders, now: float) -> None:
    recent.give_back(caller, placeholders, now)
    recent.keep(caller, placeholders, now)


def test_an_earlier_value_comes_back_to_its_caller_alone() -> None:
    recent = RecentValues()
    turn(recent, ME, sent("a@example.com"), 0.0)
    later, strange = sent("b@example.com"), sent()
    turn(recent, ME, later, 10.0)
    for other in (ME._replace(tenant_id="x"), ME._replace(key_id="x"), ME._replace(user_id="x")):
        turn(recent, other, strange, 10.0)
    assert set(later.values.values()) == {"a@example.com", "b@example.com"}
    assert not strange.values


def test_values_are_forgotten_after_a_while() -> None:
    recent = RecentValues()
    turn(recent, ME, sent("a@example.com"), 0.0)
    later = sent()
    turn(recent, ME, later, KEPT_S + 1)
    assert not later.values


def test_what_is_kept_is_bounded() -> None:
    recent = RecentValues()
    for number in range(CALLERS_MAX + 10):
        turn(recent, ME._replace(user_id=str(number)), sent("a@example.com"), 0.0)
    gone, there = sent(), sent()
    turn(recent, ME._replace(user_id="0"), gone, 0.0)
    turn(recent, ME._replace(user_id=str(CALLERS_MAX + 9)), there, 0.0)
    assert not gone.values
    assert there.values
    turn(recent, ME, sent(*(f"a{number}@example.com" for number in range(VALUES_MAX + 50))), 0.0)
    mine = sent()
    turn(recent, ME, mine, 0.0)
    assert len(mine.values) == VALUES_MAX


def test_whoever_begins_anew_gets_only_what_it_names() -> None:
    recent = RecentValues()
    first = sent("a@example.com", "b@example.com")
    recent.keep(ME, first, 0.0)
    [one, _] = first.values
    later = sent()
    recent.give_back(ME, later, 1.0, f"to <{one}> and <EMAIL_ADDRESS_bcdfghjk>".encode())
    assert later.values == {one: "a@example.com"}
