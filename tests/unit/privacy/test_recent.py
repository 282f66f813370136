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


def test_an_earlier_value_comes_back_to_its_caller_alone() -> None:
    recent = RecentValues()
    recent.take_part(ME, sent("a@example.com"), 0.0)
    later, strange = sent("b@example.com"), sent()
    recent.take_part(ME, later, 10.0)
    for other in (ME._replace(tenant_id="x"), ME._replace(key_id="x"), ME._replace(user_id="x")):
        recent.take_part(other, strange, 10.0)
    assert set(later.values.values()) == {"a@example.com", "b@example.com"}
    assert not strange.values


def test_values_are_forgotten_after_a_while() -> None:
    recent = RecentValues()
    recent.take_part(ME, sent("a@example.com"), 0.0)
    later = sent()
    recent.take_part(ME, later, KEPT_S + 1)
    assert not later.values


def test_what_is_kept_is_bounded() -> None:
    recent = RecentValues()
    for number in range(CALLERS_MAX + 10):
        recent.take_part(ME._replace(user_id=str(number)), sent("a@example.com"), 0.0)
    gone, there = sent(), sent()
    recent.take_part(ME._replace(user_id="0"), gone, 0.0)
    recent.take_part(ME._replace(user_id=str(CALLERS_MAX + 9)), there, 0.0)
    assert not gone.values
    assert there.values
    recent.take_part(ME, sent(*(f"a{number}@example.com" for number in range(VALUES_MAX + 50))), 0.0)
    mine = sent()
    recent.take_part(ME, mine, 0.0)
    assert len(mine.values) == VALUES_MAX
