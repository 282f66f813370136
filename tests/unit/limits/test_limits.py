"""Limits as people write them, the accounts they count on, and quotas."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.limit_format import limit_body, read_limit
from application.ports.limits import StoredLimit
from domain.budgets.scope import Spender
from domain.errors import InvalidRequest
from domain.limits.bucket import Asked, Credit
from domain.limits.limit import LimitTerms, Meter, accounts_of, make_limit, terms_of
from domain.limits.quota import count

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO = Spender("acme", key="k1", route="assistant", organisation="group")


def made(**words: Any) -> Any:
    given: dict[str, Any] = {
        "name": "x",
        "scope": {"tenant": "acme"},
        "per": "minute",
        "requests": 10,
        **words,
    }
    return make_limit(LimitTerms(**given), limit_id="lim_1", owner="acme")


@pytest.mark.parametrize(
    ("words", "param"),
    [
        ({"requests": None}, "requests"),
        ({"tokens": 0}, "tokens"),
        ({"name": ""}, "name"),
        ({"per": "month"}, "per"),
        ({"per": "second", "calendar": True}, "per"),
        ({"burst": 101}, "burst"),
        ({"burst_tokens": 5}, "burst_tokens"),
        ({"per": "day", "calendar": True, "burst": 5}, "burst"),
        ({"per": "day", "calendar": True, "time_zone": "Nowhere"}, "time_zone"),
        ({"per": "day", "time_zone": "Europe/Paris"}, "time_zone"),
        ({"scope": {"provider": "openai"}}, "scope"),
    ],
)
def test_what_could_not_work_is_refused_at_its_field(words: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        made(**words)

    assert refused.value.param == param


def test_each_meter_and_subject_has_an_account_of_its_own() -> None:
    limit = made(tokens=500, scope={"tenant": "acme", "key": "*"})

    accounts = accounts_of(limit, WHO, NOON) + accounts_of(limit, WHO._replace(key="k2"), NOON)

    assert [account.meter for account in accounts[:2]] == [Meter.REQUESTS, Meter.TOKENS]
    assert [account.subject for account in accounts] == ["key=k1"] * 2 + ["key=k2"] * 2
    assert len({account.account_id for account in accounts}) == 4
    assert accounts_of(limit, WHO._replace(tenant="other"), NOON) == ()


def test_routes_and_organisations_can_be_limited() -> None:
    assert accounts_of(made(scope={"route": "assistant", "organisation": "group"}), WHO, NOON)
    assert not accounts_of(made(scope={"route": "other"}), WHO, NOON)


def test_a_quota_begins_anew_with_its_period_and_a_changed_rate_at_once() -> None:
    quota, wider = made(per="day", calendar=True), made(per="day", calendar=True, requests=20)
    today, tomorrow = (accounts_of(quota, WHO, NOON + timedelta(days=days))[0] for days in (0, 1))

    assert today.account_id != tomorrow.account_id
    assert today.account_id == accounts_of(wider, WHO, NOON)[0].account_id
    assert today.period_end_us == int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1e6)
    assert (
        accounts_of(made(), WHO, NOON)[0].account_id != accounts_of(made(requests=9), WHO, NOON)[0].account_id
    )


def test_a_limit_is_read_as_it_was_written() -> None:
    for limit in (made(tokens=5, burst=3), made(per="month", calendar=True, time_zone="Europe/Paris")):
        stored = StoredLimit("lim_1", "acme", "x", limit_body(limit), 0, 0)

        assert read_limit(stored) == limit
        assert make_limit(terms_of(limit), limit_id="lim_1", owner="acme") == limit


def test_a_text_that_is_no_limit_is_told() -> None:
    with pytest.raises(InvalidRequest):
        read_limit(StoredLimit("lim_1", "acme", "x", '{"per":"minute"}', 0, 0))


@given(
    quota=st.integers(0, 1000),
    steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100), st.booleans())),
)
def test_a_quota_is_never_granted_above_and_never_left_over(
    quota: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    used, held = 0, 0
    for need, more, want, gives_back in steps:
        back = held // 2 if gives_back else 0
        used, told = count(used, quota, Asked(need, more, want, (Credit(0, back),)), 1)
        held += told.granted - back
        assert held <= used <= quota
        assert told.room == quota - used
    used, told = count(used, quota, Asked(quota - used), 1)
    assert used == quota
