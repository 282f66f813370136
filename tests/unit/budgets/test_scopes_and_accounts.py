"""Whose spending a budget counts, which account that is, and what is written of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.budgets.alerts import alerts_due, reached, utilization_percent
from domain.budgets.budget import LIMIT_NANO_USD_MAX, Budget, Switch, account_of, check_budget
from domain.budgets.period import make_period
from domain.budgets.posting import HoldOutcome, posting_text, read_posting
from domain.budgets.scope import Dimension, Spender, make_scope
from domain.errors import InvalidRequest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_US = int(NOW.timestamp() * 1e6)
SPENDER = Spender("acme", "core", "search", "key_1", "ann", "planner", "s1", "w1", "large", "openai")
BUDGET = Budget(
    budget_id="bud_1", owner="acme", name="month", scope=make_scope({"tenant": "acme"}),
    period=make_period("month"), limit_nano_usd=100, hard=True,
)  # fmt: skip
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def budget(scope: dict[str, str]) -> Budget:
    return replace(BUDGET, scope=make_scope(scope))


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        ({"tenant": "acme"}, ""),
        ({"tenant": "other"}, None),
        ({"tenant": "*"}, "tenant=acme"),
        ({"agent": "*", "tenant": "acme"}, "agent=planner"),
        ({"session": "*", "agent": "*"}, "agent=planner&session=s1"),
        ({"model": "large"}, ""),
        ({"model": "openai/large"}, ""),
        ({"model": "azure/large"}, None),
        ({"provider": "openai", "user": "*"}, "user=ann"),
        ({"team": "core", "project": "*", "workflow": "w1", "key": "key_1"}, "project=search"),
    ],
)
def test_a_scope_names_its_subject(scope: dict[str, str], subject: str | None) -> None:
    assert make_scope(scope).subject(SPENDER) == subject


@given(dimension=st.sampled_from(list(Dimension)))
def test_what_is_not_said_concerns_no_budget_of_it(dimension: Dimension) -> None:
    silent = SPENDER._replace(**{dimension.value: ""})

    assert make_scope({dimension.value: "*"}).subject(silent) is None
    assert make_scope({dimension.value: "x"}).subject(silent) is None


@pytest.mark.parametrize(
    ("scope", "param"),
    [
        ({}, "scope"),
        ({"planet": "x"}, "scope"),
        ({"agent": ""}, "scope.agent"),
        ({"agent": "a" * 257}, "scope.agent"),
        ({"agent": "a\nb"}, "scope.agent"),
        ({"user": "\0"}, "scope.user"),
    ],
)
def test_what_is_no_scope_is_refused_at_its_field(scope: dict[str, str], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        make_scope(scope)

    assert refused.value.param == param


@given(one=TEXTS, two=TEXTS)
def test_different_subjects_have_different_accounts(one: str, two: str) -> None:
    each = budget({"agent": "*", "user": "*"})
    first = account_of(each, Spender("acme", agent=one, user=two), NOW)
    second = account_of(each, Spender("acme", agent=two, user=one), NOW)

    assert first is not None and second is not None
    assert (first.account_id == second.account_id) == (one == two)


def test_the_same_subject_finds_the_same_account_all_through_a_period() -> None:
    each = budget({"agent": "*"})
    first = account_of(each, SPENDER, NOW)
    later = account_of(replace(each, limit_nano_usd=7), SPENDER, NOW + timedelta(days=20))
    next_month = account_of(each, SPENDER, NOW + timedelta(days=40))

    assert first is not None and later is not None and next_month is not None
    assert first.account_id == later.account_id != next_month.account_id
    assert later.limit_nano_usd == 7


def test_an_account_over_several_tenants_belongs_to_the_owner_of_the_budget() -> None:
    shared = replace(budget({"model": "*"}), owner="operator")
    each = replace(budget({"tenant": "*"}), owner="operator")

    of_shared, of_each = account_of(shared, SPENDER, NOW), account_of(each, SPENDER, NOW)

    assert of_shared is not None and of_each is not None
    assert (of_shared.tenant_id, of_each.tenant_id) == ("operator", "acme")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 129}, "name"),
        ({"name": "a\tb"}, "name"),
        ({"limit_nano_usd": -1}, "limit_usd"),
        ({"limit_nano_usd": LIMIT_NANO_USD_MAX + 1}, "limit_usd"),
        ({"alert_at": (9000, 8000)}, "alert_at"),
        ({"alert_at": (8000, 8000)}, "alert_at"),
        ({"alert_at": (0,)}, "alert_at"),
        ({"alert_at": (100_001,)}, "alert_at"),
        ({"alert_at": tuple(range(1, 18))}, "alert_at"),
        ({"switch": Switch(0, "cheap")}, "on_threshold.at"),
        ({"switch": Switch(10_001, "cheap")}, "on_threshold.at"),
        ({"contact": "c" * 257}, "contact"),
        ({"contact": "a\nb"}, "contact"),
    ],
)
def test_a_budget_that_cannot_work_is_refused_at_its_field(change: dict[str, object], param: str) -> None:
    check_budget(BUDGET)
    with pytest.raises(InvalidRequest) as refused:
        check_budget(replace(BUDGET, **change))  # type: ignore[arg-type]

    assert refused.value.param == param


ID_LETTERS = st.characters(exclude_characters=" ,", codec="ascii", categories=["L", "N", "P"])
IDS = st.text(ID_LETTERS, min_size=1).filter(lambda text: text != "-")


@given(
    outcome=st.sampled_from(HoldOutcome),
    amounts=st.tuples(*[st.integers(0, 2**63)] * 3),
    holder=IDS,
    payer=IDS,
    leased=st.lists(IDS, max_size=4),
    soft=st.lists(IDS, max_size=4),
)
def test_what_is_written_of_a_posting_is_what_is_read(
    outcome: HoldOutcome,
    amounts: tuple[int, int, int],
    holder: str,
    payer: str,
    leased: list[str],
    soft: list[str],
) -> None:
    text = posting_text(outcome, *amounts, holder, payer, leased, soft)

    read = read_posting("req_1.1", text)

    assert read == ("req_1.1", outcome, *amounts, holder, payer, tuple(leased), tuple(soft))


@pytest.mark.parametrize("text", ["", "settled", "settled 1 2 3 h p - - more", "lost 1 2 3 h p - -",
                                  "settled x 2 3 h p - -"])  # fmt: skip
def test_what_is_no_posting_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError):
        read_posting("req_1.1", text)


@given(limit=st.integers(0, 2**62), committed=st.integers(0, 2**62), at=st.integers(1, 100_000))
def test_a_threshold_is_reached_exactly_at_its_share(limit: int, committed: int, at: int) -> None:
    if limit:
        assert reached(committed, limit, at) == (committed * 10_000 >= limit * at)
    else:
        assert reached(committed, limit, at) == (committed > 0)


def test_thresholds_are_told_once_per_period_under_one_key_each() -> None:
    account = account_of(BUDGET, SPENDER, NOW)
    assert account is not None

    at_85, again, at_120 = (alerts_due(account, amount, NOW_US) for amount in (85, 89, 120))

    assert [alert.at_basis_points for alert in at_85] == [8000]
    assert [alert.key for alert in again] == [alert.key for alert in at_85]
    assert [alert.at_basis_points for alert in at_120] == [8000, 9000, 10_000]
    assert len({alert.key for alert in at_120}) == 3
    assert alerts_due(account, 79, NOW_US) == []
    later = account_of(BUDGET, SPENDER, NOW + timedelta(days=40))
    assert later is not None
    assert not {a.key for a in alerts_due(later, 120, NOW_US)} & {a.key for a in at_120}


def test_a_sliding_window_tells_again_after_its_length() -> None:
    account = account_of(replace(BUDGET, period=make_period("hour", rolling=True)), SPENDER, NOW)
    assert account is not None
    hour_us = 3_600_000_000

    keys = {alerts_due(account, 85, NOW_US + hour_us * number // 2)[0].key for number in range(4)}

    assert len(keys) == 2


def test_the_published_event_has_its_fields() -> None:
    account = account_of(replace(BUDGET, limit_nano_usd=100 * 10**9), SPENDER, NOW)
    assert account is not None

    (alert,) = alerts_due(account, 85_500_000_001, NOW_US)

    fields = json.loads(json.dumps(alert.fields))
    assert fields["tenant_id"] == "acme"
    assert fields["current_spend"] == pytest.approx(85.500000001)
    assert (fields["budget_limit"], fields["utilization_percentage"], fields["period"]) == (
        100.0,
        85.5,
        "month",
    )


@given(limit=st.integers(0, 2**62), committed=st.integers(0, 2**62))
def test_utilization_is_a_number_for_people(limit: int, committed: int) -> None:
    assert utilization_percent(committed, limit) >= 0
