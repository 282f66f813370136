"""How often one credential may come to the routes of administration."""

import pytest

from adapters.memory.system import SteppingClock
from application.admin_pace import CREDENTIALS_MAX, AdminPace
from domain.errors import RateLimited
from domain.tenancy.principal import Principal


def caller(key_id: str = "k1", tenant_id: str = "acme") -> Principal:
    return Principal(
        tenant_id=tenant_id, key_id=key_id, key_name=key_id, role="admin", permissions=frozenset()
    )


def let_through(pace: AdminPace, by: Principal, asked: int) -> int:
    let = 0
    for _ in range(asked):
        try:
            pace.take(by)
        except RateLimited:
            continue
        let += 1
    return let


def test_a_minutes_requests_may_come_at_once_and_then_as_time_goes_by() -> None:
    clock = SteppingClock()
    pace = AdminPace(clock, 60)

    assert let_through(pace, caller(), 100) == 60
    clock.advance(10.0)
    assert let_through(pace, caller(), 100) == 10
    clock.advance(3600.0)
    assert let_through(pace, caller(), 100) == 60


def test_a_refusal_says_when_to_come_again() -> None:
    pace = AdminPace(SteppingClock(), 2)
    let_through(pace, caller(), 2)

    with pytest.raises(RateLimited) as refused:
        pace.take(caller())

    assert refused.value.retry_after_s == pytest.approx(30, abs=0.01)
    assert refused.value.details["limit"] == "admin requests"
    assert refused.value.details["remaining"] == 0


def test_each_credential_has_its_own() -> None:
    pace = AdminPace(SteppingClock(), 1)

    assert [let_through(pace, who, 2) for who in (caller("a"), caller("b"), caller("a", "other"))] == [
        1,
        1,
        1,
    ]


def test_without_a_number_there_is_no_limit() -> None:
    assert let_through(AdminPace(SteppingClock(), None), caller(), 2_000) == 2_000


def test_so_many_credentials_are_remembered_and_no_more() -> None:
    pace = AdminPace(SteppingClock(), 1)
    for number in range(CREDENTIALS_MAX + 5):
        pace.take(caller(str(number)))

    assert len(pace._buckets) == CREDENTIALS_MAX
